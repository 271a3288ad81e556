"""Virtual environments with the packages of tests/packages/*requirements.txt, each made once for a build folder."""

import fcntl
import hashlib
import shutil
import site
import subprocess
import sys
from pathlib import Path

from .daemon import BUILD, PACKAGES



def interpreter(name: str = "") -> str:
    """That of the environment of `NAME-requirements.txt`; makes it first if it is not there, or not what is asked for."""
    return str(_environment(name) / "bin/python")


def take(name: str) -> None:
    """The packages of that environment can be imported from now on, in the tests themselves."""
    [packages] = _environment(name).glob("lib/python*/site-packages")
    site.addsitedir(str(packages))


def _environment(name: str) -> Path:
    dash = name and f"{name}-"
    environment = BUILD / f"{dash}python-packages"
    requirements = PACKAGES / f"{dash}requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = environment / ".requirements"
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f"{dash}python-packages.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(environment, ignore_errors=True)
            _run(sys.executable, "-m", "venv", environment)
            _run(environment / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements)
            stamp.write_text(wanted)
    return environment


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
