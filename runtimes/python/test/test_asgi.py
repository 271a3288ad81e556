"""The ASGI form."""

import pytest

ECHO = """
import json
async def app(scope, receive, send):
    assert scope["type"] == "http", scope["type"]
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]: break
    plain = {key: value.decode() if isinstance(value, bytes) else value for key, value in scope.items() if key not in ("headers", "state")}
    plain["headers"] = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    plain["body"] = body.decode()
    await send({"type": "http.response.start", "status": 201, "headers": [(b"X-One", b"1"), [b"x-two", b"2"]]})
    await send({"type": "http.response.body", "body": json.dumps(plain).encode()})
"""


def test_scope_and_body(start):
    runtime = start(ECHO)
    assert runtime.ready() == {"form": "asgi", "warnings": [], "unsafe": []}
    answer = runtime.request("POST", "/a%20b/%C3%A9?x=%20&y", headers=[("host", "example.com:8080"), ("x", "1"), ("x", "2")], body="hello")
    assert (answer.status, answer.headers) == (201, [("x-one", "1"), ("x-two", "2")])
    assert answer.json == {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/a b/é", "raw_path": "/a%20b/%C3%A9", "query_string": "x=%20&y", "root_path": "", "extensions": {},
        "client": ["192.0.2.1", 0], "server": ["example.com", 8080], "headers": [["host", "example.com:8080"], ["x", "1"], ["x", "2"]],
        "body": "hello"}
    parts = runtime.begin("POST", body="one", more=True)
    for part in (b"two" * 1000, b""):
        runtime.body(parts, part, last=not part)
    assert runtime.finished(parts).json["body"] == "one" + "two" * 1000
    assert parts.credit >= 3
    assert runtime.get().json["body"] == ""
    mounted = runtime.get("/a%20b", headers=[("x-forwarded-prefix", "/na%6De")]).json
    assert (mounted["root_path"], mounted["path"], mounted["raw_path"]) == ("/name", "/name/a b", "/na%6De/a%20b")


def test_lifespan_state_background_and_stop(start):
    runtime = start("""
import asyncio, atexit
from contextlib import asynccontextmanager
started = []
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["pool"] = started
        started.append(asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        print("shut down")
        await send({"type": "lifespan.shutdown.complete"})
        return
    scope["state"]["mine"] = "mine" in scope["state"]
    same = scope["state"]["pool"][0] is asyncio.get_running_loop() and asyncio.current_task() is not None
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": f"{same} {scope['state']['mine']}".encode()})
    assert (await receive())["type"] == "http.disconnect"
    await asyncio.sleep(0.001)
    print("background")
atexit.register(print, "at exit")
""")
    for _ in range(2):
        assert runtime.get().text == "True False"
    runtime.log("background")
    runtime.stop()
    runtime.log("shut down")
    runtime.log("at exit")


def test_streaming_with_flow_control(start):
    runtime = start("""
sent = 0
async def app(scope, receive, send):
    global sent
    if scope["path"] == "/sent":
        await send({"type": "http.response.start", "status": 200})
        return await send({"type": "http.response.body", "body": str(sent).encode()})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for i in range(64):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        sent += 65536
    await send({"type": "http.response.body"})
""")
    answer = runtime.begin(granting=False)
    runtime.until(lambda: len(answer.body) == 256 << 10)
    assert 0 < int(runtime.get("/sent").text) <= 512 << 10
    runtime.send(6, stream=answer.stream, aux=64 << 16)
    assert len(runtime.finished(answer).body) == 64 << 16
    assert answer.ended


def test_disconnect_deadline_and_errors(start):
    runtime = start("""
import asyncio
events = []
async def app(scope, receive, send):
    path = scope["path"]
    if path == "/events":
        await send({"type": "http.response.start", "status": 200})
        return await send({"type": "http.response.body", "body": " ".join(events).encode()})
    if path == "/wait":
        await receive()
        listening = asyncio.create_task(receive())
        events.append((await listening)["type"])
        try: await send({"type": "http.response.start", "status": 200})
        except OSError: events.append("refused")
        return
    if path == "/forever":
        try: await asyncio.Event().wait()
        except asyncio.CancelledError: events.append("cancelled"); raise
    if path == "/throw": raise LookupError("early")
    if path == "/return": return
    if path == "/twice": await send({"type": "http.response.start", "status": 200}); await send({"type": "http.response.start", "status": 200})
    if path == "/body": await send({"type": "http.response.body", "body": b""})
    if path == "/crlf": await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\\r\\nc: d")]})
    if path == "/text": await send({"type": "http.response.start", "status": 200}); await send({"type": "http.response.body", "body": "text"})
    if path == "/unknown": await send({"type": "websocket.accept"})
    if path == "/late":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise LookupError("late")
    if path == "/half":
        await send({"type": "http.response.start", "status": 200})
        return await send({"type": "http.response.body", "body": b"part", "more_body": True})
    if path == "/after":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"whole"})
        raise LookupError("afterwards")
""")
    waiting, forever = runtime.begin(target="/wait"), runtime.begin(target="/forever")
    runtime.abort(waiting)
    runtime.abort(forever, deadline=True)
    runtime.until(lambda: waiting.done and forever.done)
    assert sorted(runtime.get("/events").text.split()) == ["cancelled", "http.disconnect", "refused"]
    for path, message in {"/throw": "LookupError: early", "/return": "returned before its answer was complete", "/twice": "sent twice",
                          "/body": "before http.response.start", "/crlf": "invalid header value", "/text": "must be bytes, not str",
                          "/unknown": "'websocket.accept' is not known"}.items():
        answer = runtime.get(path)
        assert answer.error and answer.error[0] == 1 and message in answer.error[1], (path, answer)
        assert answer.status == 0
    for path in ("/late", "/half"):
        answer = runtime.get(path)
        assert (answer.status, answer.body, answer.error[0]) == (200, b"part", 2)
    answer = runtime.get("/after")
    assert (answer.body, answer.ended, answer.error) == (b"whole", True, None)
    assert runtime.log("LookupError: afterwards").invocation == answer.invocation


@pytest.mark.parametrize("code, message", [
    ("await send({'type': 'lifespan.startup.failed', 'message': 'no database'})", "StartupFailed: no database"),
    ("await send({'type': 'lifespan.startup.failed'}); raise OSError('x')", "StartupFailed: the application's startup failed"),
])
def test_a_startup_that_fails_ends_the_instance(start, code, message):
    runtime = start(f"async def app(scope, receive, send):\n    await receive()\n    {code}")
    runtime.instance()
    runtime.until(lambda: runtime.fatal)
    assert runtime.fatal[:2] == (1, message)


def test_a_startup_that_raises_is_told_and_requests_are_served(start):
    source = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        {} raise RuntimeError("the database is not there")
    await send({{"type": "http.response.start", "status": 200}})
    await send({{"type": "http.response.body", "body": b"served"}})
"""
    runtime = start(source.format("await receive();"))
    assert runtime.get().text == "served"
    entry = runtime.log("RuntimeError: the database is not there")
    assert entry.level == 4 and "startup (lifespan) failed" in entry.text and "main.py" in entry.text, entry
    runtime = start(source.format(""))
    assert runtime.get().text == "served"
    runtime.stop()
    assert "database" not in str(runtime.logs), "an application without lifespan may raise"


def test_classes_objects_and_frameless_apps(start):
    tail = '''
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x"})
'''
    for source in (f"class App:\n    async def __call__(self, scope, receive, send):\n        assert scope['type'] == 'http'{tail}\napp = App()",
                   f"async def inner(scope, receive, send):\n    if True:\n        assert scope['type'] == 'http'{tail}\ndef app(scope, receive, send): return inner(scope, receive, send)"):
        runtime = start(source)
        assert runtime.ready()["form"] == "asgi", source
        assert runtime.get().text == "x"


def test_what_send_and_receive_give_is_a_coroutine_for_asyncio(start):
    runtime = start("""
import asyncio
async def app(scope, receive, send):
    assert scope["type"] == "http"
    first = await asyncio.wait_for(receive(), 1)
    await asyncio.create_task(send({"type": "http.response.start", "status": 200}))
    await asyncio.gather(send({"type": "http.response.body", "body": first["body"], "more_body": True}))
    done, pending = await asyncio.wait([asyncio.ensure_future(send({"type": "http.response.body", "body": b"!"})), asyncio.ensure_future(receive())])
    assert not pending and asyncio.iscoroutine(send) is False
    unused = receive()
    unused.close()
""")
    answer = runtime.request("POST", body="hello")
    assert (answer.text, answer.error) == ("hello!", None)
    assert not [entry for entry in runtime.logs if entry.level == 4]
