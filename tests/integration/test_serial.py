"""Handlers that run one request at a time: the next ones wait in their instance, and none is lost or run twice."""

import os
import select
import signal
from collections import Counter

import pytest

from support.notebook import Notebook
from support.processes import eventually

# Each run is noted before anything else happens in it.
CODE = """
import ctypes, os, signal, socket, time

def tell(text):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as notebook:
        notebook.connect(("127.0.0.1", int(os.environ["NOTES"])))
        notebook.send(text.encode())
        return notebook.recv(16)

def wait():
    while tell("go?") != b"yes":
        time.sleep(0.005)

END = {"exit": lambda: os._exit(3), "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
       "segfault": lambda: ctypes.string_at(0), "loop": lambda: next(x for x in iter(int, 1) if x), "wait": wait}

def run(path, body):
    what, _, name = path.strip("/").partition("/")
    tell(name or what)
    END.get(what, bool)()
    return f"{name} {body} {os.getpid()}"

def handler(event, context):
    return run(event["rawPath"], event.get("body", ""))

def app(environ, start_response):
    answer = run(environ["PATH_INFO"], environ["wsgi.input"].read().decode())
    start_response("200 OK", [("content-type", "text/plain")])
    return [answer.encode()]
"""


@pytest.fixture(scope="module")
def daemon(start_daemon):
    return start_daemon("--threads", "1")


@pytest.fixture
def notes():
    notebook = Notebook()
    yield notebook
    notebook.close()


def deploy(daemon, name: str, notes: Notebook, form: str = "handler", **settings) -> None:
    daemon.deploy(name, CODE, "main.py", handler=form, network="host", **{"env.NOTES": str(notes.port)}, **settings)
    with daemon.wire() as wire:  # until it is known that they are cheap, nobody is given one to wait for
        for _ in range(100):
            wire.get(f"/{name}/warm")
            assert wire.answer().status == 200
    notes.notes.clear()


def ask(daemon, paths: list[str], body: str = "") -> list:
    """All of them at once, each on a connection of its own, in this order."""
    wires = [daemon.wire(timeout=60) for _ in paths]
    for wire, path in zip(wires, paths):
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        wire.send(f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n{body}")
    return wires


def runs(notes: Notebook) -> Counter:
    return Counter(notes.notes)


@pytest.mark.parametrize("form", ["handler", "app"])
@pytest.mark.parametrize("end,problem", [
    ("exit", "instance-exited"), ("kill", "instance-killed"), ("segfault", "instance-killed"),
    ("loop", "deadline-exceeded"),
])
def test_one_that_ends_its_instance_takes_no_other_along(daemon, notes, form, end, problem):
    name = f"{end}-{form}"
    deploy(daemon, name, notes, form, timeout="2s" if end == "loop" else "60s", max_instances="4")
    for number in range(1 if end == "loop" else 5):
        names = [f"{number}-{i}" for i in range(60)]
        fatal = names[7]
        wires = ask(daemon, [f"/{name}/{end if one == fatal else 'ok'}/{one}" for one in names], "b" * 100)
        for one, wire in zip(names, wires):
            answer = wire.answer()
            if one == fatal:
                assert answer.problem.endswith(problem), answer.text
            else:
                assert answer.status == 200, (one, answer.text)
                assert answer.text.split()[:2] == [one, "b" * 100]
            wire.close()
        assert {one: count for one, count in runs(notes).items() if one in names} == dict.fromkeys(names, 1)


def test_killed_from_outside_with_a_full_queue(daemon, notes):
    deploy(daemon, "killed", notes, max_instances="1")
    notes.notes.clear()
    names = ["wait", *(f"n{i}" for i in range(60))]
    wires = ask(daemon, [f"/killed/{'wait' if name == 'wait' else 'ok/' + name}" for name in names])
    eventually(lambda: notes.notes, what="the first to begin")
    [pid] = daemon.describe("killed")["live"]["pids"]
    os.kill(pid, signal.SIGKILL)
    answers = [wire.answer() for wire in wires]
    assert answers[0].problem.endswith("instance-killed")
    assert [answer.status for answer in answers[1:]] == [200] * 60
    assert runs(notes) == dict.fromkeys(names, 1)


@pytest.mark.parametrize("form", ["handler", "app"])
def test_a_slow_one_holds_up_nobody_behind_it(daemon, notes, form):
    name = f"slow-{form}"
    deploy(daemon, name, notes, form, max_instances="2")
    [slow] = ask(daemon, [f"/{name}/wait"])
    eventually(lambda: notes.notes, what="the slow one to begin")
    quick = ask(daemon, [f"/{name}/ok/{i}" for i in range(20)])
    answers = [wire.answer() for wire in quick]
    assert not select.select([slow.socket], [], [], 0)[0], "the slow one runs still"
    notes.go = True
    last = slow.answer()
    assert [answer.status for answer in answers] == [200] * 20
    assert last.text.split()[-1] not in {answer.text.split()[-1] for answer in answers}
    assert runs(notes) == {"wait": 1, **{str(i): 1 for i in range(20)}}


def test_without_another_instance_they_wait_for_the_slow_one_and_are_told_so(daemon, notes):
    deploy(daemon, "alone", notes, max_instances="1", timeout="1500ms")
    [slow] = ask(daemon, ["/alone/wait"])
    eventually(lambda: notes.notes, what="the slow one to begin")
    behind = ask(daemon, [f"/alone/ok/{i}" for i in range(5)])
    behind[0].close()  # it is never run
    assert slow.answer().problem.endswith("deadline-exceeded")
    for wire in behind[1:]:
        answer = wire.answer()
        assert answer.status == 200 or ", 0 ms running" in answer.json["detail"], answer.text
    assert "0" not in runs(notes)


def test_the_time_in_an_instances_queue_is_queue_time(daemon, notes):
    deploy(daemon, "timed", notes, max_instances="1")
    [slow] = ask(daemon, ["/timed/wait"])
    eventually(lambda: notes.notes, what="the slow one to begin")
    [quick] = ask(daemon, ["/timed/ok/1"])
    assert not select.select([quick.socket], [], [], 0.1)[0]
    notes.go = True
    timing = dict(part.strip().split(";dur=") for part in quick.answer().header("server-timing").split(","))
    assert float(timing["queue"]) >= 100 > float(timing["run"])
    assert slow.answer().status == 200


def test_a_request_that_still_comes_holds_up_nobody(daemon, notes):
    deploy(daemon, "coming", notes, max_instances="2")
    with daemon.wire() as coming:
        coming.send("POST /coming/ok/coming HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello")
        for wire in ask(daemon, [f"/coming/ok/{i}" for i in range(20)]):
            assert wire.answer().status == 200
        coming.send("world")
        assert coming.answer().text.split()[:2] == ["coming", "helloworld"]
