"""A virtual environment with the packages of tests/packages/requirements.txt, made once for a build folder."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from .daemon import BUILD, PACKAGES

ENVIRONMENT = BUILD / "python-packages"


def interpreter() -> str:
    """The environment's own; makes it first if it is not there, or not what is asked for."""
    requirements = PACKAGES / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = ENVIRONMENT / ".requirements"
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "python-packages.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
            _run(sys.executable, "-m", "venv", ENVIRONMENT)
            _run(ENVIRONMENT / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements)
            stamp.write_text(wanted)
    return str(ENVIRONMENT / "bin/python")


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
