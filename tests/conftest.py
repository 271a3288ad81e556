"""Fixtures: daemons that end with the test, and the proof that no process outlives it."""

import itertools

import pytest

from support import processes
from support.daemon import Daemon

processes.adopt_orphans()


@pytest.fixture(scope="module")
def start_daemon(tmp_path_factory):
    """start_daemon(*options, env=…, context=…) → a running daemon that ends with the module.

    At the end every daemon still there must leave on SIGTERM with status 0, and no process may be left.
    """
    daemons: list[Daemon] = []
    numbers = itertools.count(1)

    def start(*options: str, env: dict[str, str] | None = None, context=None) -> Daemon:
        folder = tmp_path_factory.mktemp("mayfly") / f"data-{next(numbers)}"
        daemon = Daemon(folder, *options, env=env)
        daemon.context = context
        daemons.append(daemon)
        return daemon.start()

    yield start
    problems = []
    for daemon in daemons:
        if not daemon.running:
            continue
        try:
            status = daemon.stop()
            if status != 0:
                problems.append(f"exit status {status}:\n{daemon.last_words()}")
        except AssertionError as error:
            problems.append(str(error))
    left = leftovers()
    processes.kill_all(left)
    processes.reap()
    assert not problems, "\n".join(problems)
    assert not left, "processes were left behind"


@pytest.fixture(scope="module")
def daemon(start_daemon):
    """One daemon for all tests of a module; each deploys functions of its own names."""
    return start_daemon()


def leftovers(patience: float = 5.0) -> list[int]:
    """Descendants that do not end by themselves soon."""

    def none_left():
        processes.reap()
        return not processes.descendants()

    try:
        processes.eventually(none_left, patience)
        return []
    except AssertionError:
        left = processes.descendants()
        for pid in left:
            print(f"left behind: {pid} {processes.command_line(pid)}")
        return left
