"""Python functions beside uvicorn, one process each, with the same interpreter and the same packages."""

import pathlib
import shutil
import subprocess

from . import density, starts, throughput
from .report import Row
from .servers import BENCH, NotAvailable, Server

PACKAGES = {"uvicorn[standard]": "0.54.0", "fastapi": "0.165.0"}


def install(folder):
    """A virtual environment with the peers, in the build tree, made once. Returns its Python."""
    python, stamp = folder / "bin/python", folder / "packages.txt"
    wanted = "".join(f"{name}=={version}\n" for name, version in PACKAGES.items())
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in (["python3", "-m", "venv", str(folder)],
                    [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted.split()]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotAvailable(f"{' '.join(command[:4])}: " + (done.stderr or done.stdout).strip()[-300:])
    stamp.write_text(wanted)
    return python


class Uvicorn(Server):
    """uvicorn with uvloop and httptools, one worker, no access log."""

    def __init__(self, log_folder, python, application):
        self.name = f"uvicorn-{application}"
        super().__init__(log_folder)
        self.python, self.application = python, application

    def start(self):
        self.spawn([str(self.python), "-m", "uvicorn", f"{self.application}:app", "--app-dir",
                    str(BENCH / "functions"), "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
                    "--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"])


# The application that uvicorn runs, and what Mayfly runs beside it: file, title, the least ratio of requests/s.
PAIRS = {
    "hello_fastapi": [("hello_handler.py", "handler(event, context)", 1.5),
                      ("hello_async.py", "async handler(event, context)", 1.5),
                      ("hello_fastapi.py", "the same FastAPI application", 1.0)],
    "hello_asgi": [("hello_asgi.py", "the same ASGI application without a framework", 1.0)],
}


def throughput_rows(admin, load, mayfly, python, logs, rounds, seconds):
    """All of an application's rows are measured in turn, beside one uvicorn."""
    rows = []
    for application, ours in PAIRS.items():
        peer = Uvicorn(logs, python, application)
        targets = {}
        for number, (file, _, _) in enumerate(ours):
            # One worker each; both have the interpreter that has the packages.
            admin.deploy(f"python-{number}", file, max_instances=1, interpreter=str(python))
            targets[file] = (mayfly.port, f"/python-{number}/")
        try:
            peer.start()
            results = throughput.interleave(load, targets | {"uvicorn": (peer.port, "/")}, rounds, seconds, 64)
        finally:
            peer.stop()
        for number, (file, title, least) in enumerate(ours):
            admin.delete(f"python-{number}")
            rows.append(row_of({"mayfly": results[file], "uvicorn": results["uvicorn"]}, application, title, least))
    return rows


def row_of(results, application, title, least):
    ratio = throughput.paired(results, "mayfly", "uvicorn", "rate")
    clean = sum(throughput.errors(results).values()) == 0
    note = throughput.note_of(results, "rate", "/s") + "; " + throughput.note_of(results, "p50_ms", "ms p50")
    beside = "FastAPI under uvicorn" if application == "hello_fastapi" else "uvicorn"
    return Row(f"Python hello, 64 connections, against {beside}: {title}", f">= {least:g} x", throughput.text_of(ratio),
               clean and ratio["median"] >= least, note, throughput.data_of(results))


def rows(admin, load, mayfly, build, rounds, quick):
    python = install(build.resolve() / "bench-python")
    logs = pathlib.Path(mayfly.log_path).parent
    times = 10 if quick else 30
    found = throughput_rows(admin, load, mayfly, python, logs, rounds, 1 if quick else 2)
    found += [starts.first_request_row(admin, load, mayfly.port, "template", 40, times, "hello_handler.py", "Python: "),
              starts.first_request_row(admin, load, mayfly.port, "instances", 2, times, "hello_handler.py", "Python: ")]
    count, wait = (100, 5) if quick else (500, 30)
    found.append(density.density_row(admin, load, mayfly, count, wait, ("Python", "hello_handler.py", "hold.py")))
    return found
