"""Python's functions call functions, publish, and are decorators: Lambda's form sync and async, ASGI, WSGI."""

import hashlib

import pytest

ECHO = """def handler(event, context):
    return {"statusCode": 207, "headers": {"x-echo": event["rawPath"]}, "body": event.get("body") or ""}
"""
SYNC = """import mayfly
def handler(event, context):
    try:
        answer = mayfly.invoke(event["rawPath"][1:], path="/from/sync", method="POST", body="hello")
        return {"status": answer.status, "x-echo": answer.headers["x-echo"], "text": answer.text}
    except mayfly.CallError as error:
        return {"type": error.type, "status": error.status, "message": str(error)}
"""
ASYNC = """import asyncio
import mayfly
async def handler(event, context):
    answers = await asyncio.gather(*(context.invoke("echo", path=f"/{i}", body=str(i)) for i in range(20)))
    return [(answer.headers["x-echo"], (await answer.read()).decode()) for answer in answers]
"""
THREAD = """import asyncio
import mayfly
def work():
    return mayfly.invoke_sync("echo", path="/thread", body="x").text
async def handler(event, context):
    return await asyncio.to_thread(work)
"""
WSGI = """import mayfly
def app(environ, start_response):
    answer = mayfly.invoke("echo", path="/wsgi", body="from wsgi")
    start_response("200 OK", [("content-type", "text/plain")])
    return [answer.body]
"""
ASGI_AUTH = """import mayfly
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if b"x-token" not in dict(scope["headers"]):
        await send({"type": "http.response.start", "status": 401, "headers": []})
        return await send({"type": "http.response.body", "body": b"no"})
    answer = await mayfly.next()
    answer.header_list.append(("x-auth", "checked"))
    await answer(scope, receive, send)
"""
WSGI_PASS = """import mayfly
def app(environ, start_response):
    return mayfly.next()(environ, start_response)
"""
LAMBDA_PASS = """import mayfly
def handler(event, context):
    return mayfly.next()
"""
SUM = """import hashlib
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()]
"""
BYTES = """def app(environ, start_response):
    start_response("200 OK", [("content-type", "application/octet-stream")])
    return (b"x" * 50_000 for _ in range(60))
"""


@pytest.fixture(scope="module")
def functions(start_daemon):
    daemon = start_daemon("--threads", "2")
    for name, code in {"echo": ECHO, "sync": SYNC, "async": ASYNC, "thread": THREAD, "wsgi": WSGI, "asgi-auth": ASGI_AUTH,
                       "wsgi-pass": WSGI_PASS, "lambda-pass": LAMBDA_PASS}.items():
        daemon.deploy(name, code, file="index.py")
    return daemon


def test_a_sync_handler_calls_and_waits(functions):
    assert functions.request("/sync/echo").json == {"status": 207, "x-echo": "/from/sync", "text": "hello"}


def test_what_is_not_there_is_an_error_with_a_type(functions):
    answer = functions.request("/sync/nobody").json
    assert answer["type"] == "urn:mayfly:router:unknown-function" and answer["status"] == 404


def test_an_async_handler_calls_many_at_once(functions):
    assert functions.request("/async").json == [[f"/{i}", str(i)] for i in range(20)]


def test_a_thread_beside_the_event_loop_calls(functions):
    assert functions.request("/thread").text.strip('"') == "x"


def test_a_wsgi_application_calls(functions):
    assert functions.request("/wsgi").text == "from wsgi"


def test_an_event_is_a_payload(functions):
    functions.deploy("adds", "def handler(event, context):\n    return event['a'] + event['b']\n", file="index.py")
    functions.deploy("sums", """import mayfly
def handler(event, context):
    return mayfly.invoke("adds", payload={"a": 2, "b": 3}).json()
""", file="index.py")
    assert functions.request("/sums").text == "5"


def test_a_topic_has_to_be_listed(functions):
    functions.deploy("publishes", """import mayfly
def handler(event, context):
    try:
        return mayfly.publish("news", {"a": 1})
    except mayfly.CallError as error:
        return error.type
""", file="index.py")
    assert functions.request("/publishes").text.strip('"') == "urn:mayfly:call:topic-not-allowed"


@pytest.mark.parametrize("decorator", ["asgi-auth", "wsgi-pass", "lambda-pass"])
def test_bodies_go_through_a_decorator_both_ways(functions, decorator):
    functions.deploy(f"sum-{decorator}", SUM, file="app.py", wrap=decorator)
    functions.deploy(f"bytes-{decorator}", BYTES, file="app.py", wrap=decorator)
    body = bytes(range(256)) * 8_000
    answer = functions.request(f"/sum-{decorator}", "POST", body=body, headers={"x-token": "t"})
    assert answer.text == f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    assert functions.request(f"/bytes-{decorator}", headers={"x-token": "t"}).body == b"x" * 3_000_000


@pytest.mark.parametrize("decorator", ["asgi-auth", "wsgi-pass"])
def test_bodies_stream_both_ways_at_once(functions, decorator):
    functions.deploy(f"duplex-{decorator}", """export default { fetch: (request) => new Response(request.body) };""", wrap=decorator)
    body = bytes(range(256)) * 8_000
    answer = functions.request(f"/duplex-{decorator}", "POST", body=body, headers={"x-token": "t"})
    assert hashlib.sha256(answer.body).hexdigest() == hashlib.sha256(body).hexdigest()


def test_a_decorator_may_answer_itself(functions):
    functions.deploy("guarded", ECHO, file="index.py", wrap="asgi-auth")
    assert functions.request("/guarded").status == 401
    answer = functions.request("/guarded", headers={"x-token": "t"})
    assert answer.status == 207 and answer.header("x-auth") == "checked"


def test_calls_outside_of_an_invocation_are_refused(functions):
    answer = functions.put("early", "import mayfly\nmayfly.invoke('echo')\n\ndef handler(event, context):\n    return 1\n", file="index.py")
    assert answer.status == 422 and "outside of one" in answer.text
