"""Functions in Python, through the whole daemon."""

import concurrent.futures
import glob
import os
import subprocess
import sys

import pytest

from support import processes

HELLO = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": f"hello {event['rawPath']}"}
"""


def logs_of(daemon, name, text):
    return processes.eventually(lambda: next((line for line in daemon.cli("logs", name).stdout.splitlines() if text in line), None))


def test_a_handler_serves_and_a_new_version_takes_over(daemon):
    daemon.deploy("hello", HELLO, file="hello.py")
    assert daemon.request("/hello/a").text == "hello /a"
    daemon.deploy("hello", HELLO.replace("hello {", "bye {"), file="hello.py")
    assert daemon.request("/hello/b").text == "bye /b"
    assert daemon.cli("invoke", "hello", '{"rawPath": 1}').stdout.find("bye 1") > 0


def test_bad_versions_are_refused_and_the_old_one_serves_on(daemon):
    daemon.deploy("kept", HELLO, file="kept.py")
    for source, settings, problem, words in (
            ("def handler(event, context) return 1", {}, "syntax-error", "SyntaxError"),
            ("import nowhere\n" + HELLO, {}, "init-failed", "No module named 'nowhere'"),
            ("1 / 0\n" + HELLO, {}, "init-failed", "ZeroDivisionError"),
            ("import sys; sys.exit(1)", {}, "init-failed", "sys.exit(1) was called"),
            (HELLO, {"handler": "hadnler"}, "missing-export", 'Did you mean handler = "handler"?'),
            ("x = 1", {}, "missing-export", "has no handler")):
        answer = daemon.put("kept", source, file="kept.py", **settings)
        assert answer.status == 422 and answer.problem.endswith(problem), (source, answer.text)
        assert words in answer.text.replace('\\"', '"')
        assert daemon.request("/kept/x").text == "hello /x"
    document = daemon.put("kept", "\n\nraise ValueError('where')", file="kept.py").json
    assert (document["file"], document["line"]) == ("kept.py", 3)


def test_failures_are_typed(daemon):
    daemon.deploy("fails", """
import ctypes, os, sys, time
def handler(event, context):
    path = event["rawPath"]
    if path == "/throw": raise ValueError("secret words")
    if path == "/exit": sys.exit(7)
    if path == "/crash": ctypes.string_at(0)
    if path == "/loop":
        while True: pass
    if path == "/sleep": time.sleep(60)
    if path == "/crlf": return {"statusCode": 200, "headers": {"x": "a\\r\\nset-cookie: b"}}
    if path == "/set": return {1, 2}
    if path == "/large": return "x" * 2_000_000
    if path == "/bytes": return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": b"\\xff\\xfe"}
    return "fine"
""", file="fails.py", timeout="500ms", max_response="50KiB")
    for path, status, problem in (("/throw", 500, "handler-threw"), ("/exit", 502, "instance-exited"), ("/crash", 502, "instance-killed"),
                                  ("/loop", 504, "deadline-exceeded"), ("/sleep", 504, "deadline-exceeded"), ("/crlf", 502, "answer-broken"),
                                  ("/set", 500, "handler-threw"), ("/large", 502, "answer-too-large")):
        answer = daemon.request(f"/fails{path}")
        assert (answer.status, answer.problem.split(":")[-1]) == (status, problem), (path, answer.text)
        assert "secret" not in answer.text
        assert daemon.request("/fails").text == "fine"
    assert daemon.request("/fails/bytes").body == b"\xff\xfe"
    document = daemon.cli("describe", "fails").stdout
    assert "ValueError: secret words" in document


def test_output_lands_in_the_logs_with_the_invocation(daemon):
    daemon.deploy("talks", """
import logging, os, sys
async def handler(event, context):
    print("printed", event["rawPath"])
    logging.getLogger("x").warning("warned")
    sys.stdout.buffer.write(b"\\xff\\xfe not UTF-8\\n")
    os.write(2, b"\\xff raw\\n")
    raise KeyError("traced")
""", file="talks.py")
    invocation = daemon.request("/talks/a").header("mayfly-invocation")
    for text in ("printed /a", "warned", "not UTF-8", "raw", "traced"):
        logs_of(daemon, "talks", text)
    line = daemon.cli("logs", "talks", "--json").stdout
    assert invocation in line


def test_asgi_streams_and_hears_that_the_client_left(daemon):
    daemon.deploy("stream", """
import asyncio
left = asyncio.Event()
async def app(scope, receive, send):
    if scope["type"] != "http": return
    path = scope["path"].removeprefix(scope["root_path"])
    if path == "/left":
        await asyncio.wait_for(left.wait(), 5)
        await send({"type": "http.response.start", "status": 200})
        return await send({"type": "http.response.body", "body": b"left"})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if path == "/wait":
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect": pass
        return left.set()
    while True:
        message = await receive()
        await send({"type": "http.response.body", "body": message["body"].upper(), "more_body": message["more_body"]})
        if not message["more_body"]: return
""", file="stream.py", max_instances="1")
    with daemon.wire() as wire:
        wire.send("POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert wire.head().status == 200
        assert wire.chunk() == b"ABC"
        wire.send("2\r\nde\r\n0\r\n\r\n")
        assert wire.chunk() == b"DE"
        assert wire.chunk() == b""
    with daemon.wire() as wire:
        wire.get("/stream/wait")
        wire.head()
        assert wire.chunk() == b"begun"
    assert daemon.request("/stream/left").text == "left"


def test_large_bodies_both_ways(daemon):
    daemon.deploy("echo", """
def application(environ, start_response):
    start_response("200 OK", [("content-type", "application/octet-stream")])
    return iter(lambda: environ["wsgi.input"].read(100_000), b"")
""", file="echo.py")
    body = os.urandom(5_000_000)
    assert daemon.request("/echo", "POST", body=body).body == body
    daemon.deploy("upper", "def handler(event, context): return {'statusCode': 200, 'body': event['body'].upper()}", file="upper.py")
    text = "abc" * 1_000_000
    assert daemon.request("/upper", "POST", body=text, headers={"content-type": "text/plain"}).text == text.upper()


@pytest.mark.parametrize("source", [
    "def handler(event, context):\n    return count()", "async def handler(event, context):\n    return count()",
    "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [str(count()).encode()]",
    "async def app(scope, receive, send):\n    if scope['type'] == 'http':\n        await send({'type': 'http.response.start', 'status': 200})\n"
    "        await send({'type': 'http.response.body', 'body': str(count()).encode()})"], ids=["sync", "async", "wsgi", "asgi"])
def test_a_fresh_instance_for_each_request(daemon, source):
    counter = "number = 0\ndef count():\n    global number\n    number += 1\n    return number\n"
    daemon.deploy("fresh", counter + source, file="fresh.py", isolation="request")
    assert [daemon.request("/fresh").text for _ in range(20)] == ["1"] * 20


def test_async_handlers_share_one_instance(daemon):
    daemon.deploy("together", """
import asyncio, os
inside, all_in = 0, asyncio.Event()
async def handler(event, context):
    global inside
    inside += 1
    if inside == 20: all_in.set()
    await asyncio.wait_for(all_in.wait(), 10)
    return os.getpid()
""", file="together.py", max_instances="1")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: daemon.request("/together").text, range(20)))
    assert len(set(answers)) == 1 and answers[0].isdigit()


def test_code_that_cannot_be_forked_is_loaded_in_each_instance(daemon):
    daemon.deploy("threaded", "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n" + HELLO, file="threaded.py")
    assert daemon.request("/threaded/x").text == "hello /x"
    assert "thread(s) running" in daemon.cli("describe", "threaded").stdout


def test_nothing_random_is_copied_by_a_fork(daemon):
    daemon.deploy("dice", """
import os, random, secrets, threading, time, uuid
random.random()
def handler(event, context):
    # One request for each instance: leave after the answer was handed over.
    threading.Timer(0.005, os._exit, [0]).start()
    return {"pid": os.getpid(), "values": [random.random(), str(uuid.uuid4()), secrets.token_hex(16)]}
""", file="dice.py", max_instances="20")
    answers = []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        while len({answer["pid"] for answer in answers}) < 100:
            assert len(answers) < 2000
            answers += [answer.json for answer in pool.map(lambda _: daemon.request("/dice"), range(20)) if answer.status == 200]
    firsts = {answer["pid"]: answer["values"] for answer in answers}
    for values in zip(*firsts.values()):
        assert len(set(values)) == len(values)


def test_an_interpreter_of_ones_own(daemon, tmp_path):
    """A virtual environment, with a package that only it has."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    packages = glob.glob(f"{environment}/lib/python3*/site-packages")[0]
    with open(f"{packages}/only_here.py", "w") as file:
        file.write("where = 'venv'")
    source = "import only_here, sys\ndef handler(event, context): return [only_here.where, sys.prefix]"
    assert daemon.put("venv", source, file="venv.py").status == 422
    daemon.deploy("venv", source, file="venv.py", interpreter=f"{environment}/bin/python")
    assert daemon.request("/venv").json == ["venv", str(environment)]


def test_an_interpreter_that_is_too_old_is_told(daemon, tmp_path):
    for file, name, answer, words in (("old.py", "python3.10", f"{tmp_path}/python3.10\\n3.10.4", "is Python 3.10.4, and 3.11 is the oldest"),
                                      ("old.js", "node", "v16.20.0", "is Node 16.20.0, and 18 is the oldest")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nprintf '{answer}\\n'\n")
        program.chmod(0o755)
        refused = daemon.put("old", HELLO, file=file, interpreter=str(program))
        assert refused.status == 422 and words in refused.json["detail"], refused.text


def test_a_client_that_leaves_ends_what_is_yielded(daemon):
    """Long before the deadline: both forms that serve one request after another."""
    steps = """
import time
def steps():
    try:
        while True:
            yield b"data"
            time.sleep(0.01)
    finally:
        print("closed")
"""
    for name, code in (("yields", "def handler(event, context): return steps()"),
                       ("iterates", "def app(environ, start_response):\n    start_response('200 OK', [])\n    return steps()")):
        daemon.deploy(name, steps + code, file=f"{name}.py", timeout="5m")
        with daemon.wire() as wire:
            wire.get(f"/{name}")
            wire.until(b"data")
        assert logs_of(daemon, name, "closed")


def test_packages_of_the_machine_are_not_there_unless_they_are_asked_for(daemon):
    source = "import pip, sys\ndef handler(event, context): return [pip.__name__, callable(exit)]"
    refused = daemon.put("packages", source, file="packages.py")
    assert refused.status == 422 and "No module named 'pip'" in refused.text
    daemon.deploy("packages", source, file="packages.py", interpreter=os.path.realpath(sys.executable))
    assert daemon.request("/packages").json == ["pip", True]
    daemon.deploy("packages", source.replace("pip", "json"), file="packages.py")
    assert daemon.request("/packages").json == ["json", True]


@pytest.mark.parametrize("python", sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[1-9]*/bin/python3")) +
                                          glob.glob("/opt/python*/bin/python3")) or [None])
def test_interpreters_that_lie_elsewhere(daemon, python):
    if python is None:
        pytest.skip("there is only one Python here")
    daemon.deploy("which", "import sys\nasync def handler(event, context): return sys.version", file="which.py", interpreter=python)
    version = subprocess.run([python, "-c", "import sys; print(sys.version)"], capture_output=True, text=True).stdout.strip()
    assert daemon.request("/which").text == version
