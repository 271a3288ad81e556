"""Lambda's runtime clients as others wrote them, with a function each (tests/lambda_clients), ready to be deployed.

What has to be installed is put into build/test-lambda, once for each state of what it is made of.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .daemon import BUILD, REPOSITORY

SOURCES = REPOSITORY / "tests" / "lambda_clients"
PYTHON_CLIENT = "awslambdaric==4.2.2"
NODE_CLIENT = "aws-lambda-ric@4.0.2"


def _install(name: str, key: str, commands: list[list[str]]) -> Path:
    """A folder in which the commands have run; kept while `key` stays the same."""
    folder = BUILD / "test-lambda" / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    if folder.exists():
        return folder
    part = folder.with_suffix(f".{os.getpid()}")
    part.mkdir(parents=True)
    try:
        for command in commands:
            done = subprocess.run(command, cwd=part, capture_output=True, text=True, timeout=900)
            if done.returncode != 0:
                pytest.fail(f"{' '.join(command)} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def _need(*programs: str) -> str:
    for program in programs:
        if found := shutil.which(program):
            return found
    pytest.skip(f"{programs[0]} is not installed")


def python(folder: Path) -> Path:
    """awslambdaric (PyPI) with app.handler."""
    interpreter = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else _need("python3")  # functions see /usr, no homes
    if subprocess.run([interpreter, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        pytest.skip("pip is not installed")
    installed = _install("python", interpreter + PYTHON_CLIENT, [[interpreter, "-m", "pip", "install", "-q", "--target", "lib", PYTHON_CLIENT]])
    shutil.copytree(installed, folder, dirs_exist_ok=True)
    shutil.copy(SOURCES / "python" / "app.py", folder)
    _program(folder, "bootstrap", f'#!/bin/sh\nPYTHONPATH=$LAMBDA_TASK_ROOT/lib exec {interpreter} -m awslambdaric app.handler\n')
    return folder


def node(folder: Path) -> Path:
    """aws-lambda-ric (npm) with app.js. Its native part is compiled when it is installed."""
    _need("npm"), _need("cmake")
    program = _need("node")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    installed = _install("node", version + NODE_CLIENT, [["npm", "init", "-y"], ["npm", "install", "--no-audit", "--no-fund", NODE_CLIENT]])
    shutil.copytree(installed / "node_modules", folder / "node_modules", dirs_exist_ok=True, symlinks=True)
    shutil.copy(SOURCES / "node" / "app.js", folder)
    _program(folder, "bootstrap", f"#!/bin/sh\nexec {program} node_modules/aws-lambda-ric/index.mjs\n")
    return folder


def go(_: Path) -> Path:
    """aws-lambda-go, built by the daemon."""
    if shutil.which("go") is None and not Path("/usr/local/go/bin/go").exists():
        pytest.skip("Go is not installed")
    return SOURCES / "go"


def rust(_: Path) -> Path:
    """lambda_runtime, built by the daemon."""
    if shutil.which("cargo") is None and not Path.home().joinpath(".cargo/bin/cargo").exists():
        pytest.skip("Cargo is not installed")
    return SOURCES / "rust"


def bash(_: Path) -> Path:
    """A loop with curl."""
    _need("curl")
    return SOURCES / "bash"
