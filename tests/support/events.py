"""What was accepted: asked for until it stands as the test wants."""

import time

from . import http
from .daemon import Daemon

FINAL = ("succeeded", "dead", "cancelled")


def accept(daemon: Daemon, path: str, method: str = "POST", headers=None, **more) -> http.Answer:
    """A request that is not waited for."""
    return daemon.request(path, method, headers={"prefer": "respond-async", **(headers or {})}, **more)


def status(daemon: Daemon, location: str) -> dict:
    answer = daemon.request(location)
    assert answer.status == 200, answer.text
    return answer.json


def until(daemon: Daemon, location: str, *wanted: str, timeout: float = 30) -> dict:
    """Its status, once it is one of those wanted (by default: a final one)."""
    deadline = time.monotonic() + timeout
    while True:
        now = status(daemon, location)
        if now["status"] in (wanted or FINAL):
            return now
        assert time.monotonic() < deadline, now
        time.sleep(0.02)
