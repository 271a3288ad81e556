"""The Lambda form."""

import re
import time

import pytest
from harness import PING


def test_an_http_request_as_an_event_of_format_2_0(start):
    runtime = start("""
        def handler(event, context):
            return {"event": event, "context": {key: getattr(context, key) for key in dir(context) if not key.startswith("_")
                    and isinstance(getattr(context, key), (str, type(None)))}, "left": context.get_remaining_time_in_millis()}
    """.replace("\n        ", "\n"))
    assert runtime.ready() == {"form": "lambda", "serial": True, "warnings": [], "unsafe": []}
    answer = runtime.request("POST", "/a%20b?x=1&x=2&y=%20+", body='{"a":1}', headers=[
        ("content-type", "application/json"), ("cookie", "a=1; b=2"), ("user-agent", "me"), ("via", "1"), ("via", "2")])
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    event, context = answer.json["event"], answer.json["context"]
    request = event.pop("requestContext")
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", request.pop("time"))
    assert abs(time.time() * 1000 - request.pop("timeEpoch")) < 10_000
    assert request == {
        "accountId": "anonymous", "apiId": "mayfly", "domainName": "example.com", "domainPrefix": "example",
        "http": {"method": "POST", "path": "/a%20b", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "me"},
        "requestId": answer.invocation, "routeKey": "$default", "stage": "$default"}
    assert event == {
        "version": "2.0", "routeKey": "$default", "rawPath": "/a%20b", "rawQueryString": "x=1&x=2&y=%20+",
        "headers": {"host": "example.com", "content-type": "application/json", "cookie": "a=1; b=2", "user-agent": "me", "via": "1,2"},
        "cookies": ["a=1", "b=2"], "queryStringParameters": {"x": "1,2", "y": "  "}, "body": '{"a":1}', "isBase64Encoded": False}
    assert 0 < answer.json["left"] <= 10_000
    assert context == {
        "aws_request_id": answer.invocation, "function_name": "test", "function_version": "1", "client_context": None,
        "invoked_function_arn": "mayfly:test@1", "memory_limit_in_mb": "128", "log_group_name": "/mayfly/test", "log_stream_name": "1"}


def test_the_route_and_what_stands_in_its_placeholders(start):
    runtime = start("def handler(event, context): return [event['routeKey'], event['requestContext']['routeKey'], event.get('pathParameters')]")
    assert runtime.request("GET", "/users/7").json == ["$default", "$default", None]
    key = "GET /users/{id}/{proxy+}"
    answer = runtime.request("GET", "/users/7", headers={"mayfly-route": key, "mayfly-path-parameters": "id=a%2Fb%20%2B%C3%BC&proxy="})
    assert answer.json == [key, key, {"id": "a/b +ü", "proxy": ""}]


def test_binary_bodies_come_as_base64_and_bodies_in_parts_whole(start):
    runtime = start("def handler(event, context): return [event['body'], event['isBase64Encoded']]")

    def of(content_type, body):
        return runtime.request("POST", body=body, headers={"content-type": content_type} if content_type else {}).json

    assert of("application/octet-stream", b"\0\xff") == ["AP8=", True]
    assert of("text/plain", b"\0\xff") == ["AP8=", True]
    assert of("application/octet-stream", "abc") == ["YWJj", True]
    assert of("application/vnd.api+json; charset=utf-8", "{}") == ["{}", False]
    assert of(None, "a=b") == ["a=b", False]
    assert runtime.request("POST", body="x", headers={"content-encoding": "gzip"}).json == ["eA==", True]
    answer = runtime.begin("POST", body="ab", more=True, headers={"content-type": "text/plain"})
    runtime.body(answer, b"cd")
    runtime.body(answer, b"ef", last=True)
    assert runtime.finished(answer).json == ["abcdef", False]
    assert answer.credit >= 2


ANSWERS = {
    "/string": ("'text'", 200, "application/json", b"text"),
    "/object": ("{'a': 'é'}", 200, "application/json", '{"a":"é"}'.encode()),
    "/none": ("None", 200, "application/json", b"null"),
    "/list": ("[1, 2.5, True]", 200, "application/json", b"[1,2.5,true]"),
    "/full": ("{'statusCode': 201, 'headers': {'X-A': 'b', 'Content-Type': 'text/html'}, 'cookies': ['a=1', 'b=2'], 'body': '<p>'}",
              201, "text/html", b"<p>"),
    "/words": ("{'statusCode': '404', 'body': 'no'}", 404, "text/plain;charset=utf-8", b"no"),
    "/multi": ("{'statusCode': 200, 'headers': {'x': '1'}, 'multiValueHeaders': {'X': ['2', '3'], 'Set-Cookie': ['c=1', 'd=2']}, 'body': 'x'}",
               200, "text/plain;charset=utf-8", b"x"),
    "/numbers": ("{'statusCode': 200, 'headers': {'x': 5, 'y': None, 'z': ['1', 2]}}", 200, None, b""),
    "/base64": ("{'statusCode': 200, 'body': 'AP8=', 'isBase64Encoded': True}", 200, "text/plain;charset=utf-8", b"\0\xff"),
    "/bytes": ("{'statusCode': 200, 'body': b'\\x00\\xff'}", 200, "text/plain;charset=utf-8", b"\0\xff"),
    "/204": ("{'statusCode': 204, 'body': 'dropped'}", 204, "text/plain;charset=utf-8", b""),
    "/json": ("{'statusCode': 200, 'body': {'a': 1}}", 200, "text/plain;charset=utf-8", b'{"a":1}'),
    "/surrogate": ("{'statusCode': 200, 'body': 'a\\udc80b'}", 200, "text/plain;charset=utf-8", b"a?b"),
    "/parts": ("(part for part in ['one', b'two', ''])", 200, "application/octet-stream", b"onetwo"),
    "/body-parts": ("{'statusCode': 200, 'headers': {'content-type': 'text/plain'}, 'body': iter(['a', 'b'])}", 200, "text/plain", b"ab"),
}
BAD = {
    "/status": ("{'statusCode': 'x'}", "TypeError: The handler returned statusCode 'x'; it must be between 200 and 599"),
    "/low": ("{'statusCode': 99}", "TypeError: The handler returned statusCode 99"),
    "/name": ("{'statusCode': 200, 'headers': {'a b': 'c'}}", "ValueError: 'a b' is an invalid header name"),
    "/not64": ("{'statusCode': 200, 'body': '<html>', 'isBase64Encoded': True}", "ValueError: the handler returned isBase64Encoded, but the body is not Base64"),
    "/crlf": ("{'statusCode': 200, 'headers': {'a': 'b\\r\\nset-cookie: x'}}", r"ValueError: 'b\r\nset-cookie: x' is an invalid header value"),
    "/nul": ("{'statusCode': 200, 'headers': {'a': 'b\\0c'}}", r"ValueError: 'b\x00c' is an invalid header value"),
    "/cookie": ("{'statusCode': 200, 'cookies': ['a\\nb']}", "invalid header value"),
    "/set": ("{1, 2}", "TypeError: Object of type set is not JSON serializable"),
    "/raw": ("b'raw'", "TypeError: Object of type bytes is not JSON serializable"),
    "/nan": ("float('nan')", "ValueError: Out of range float values are not JSON compliant"),
}


@pytest.mark.parametrize("how", ["def", "async def"])
def test_answers(start, how):
    table = ", ".join(f"'{path}': lambda: {row[0]}" for path, row in {**ANSWERS, **BAD}.items())
    runtime = start(f"ANSWERS = {{{table}}}\n{how} handler(event, context):\n    return ANSWERS[event['rawPath']]()")
    assert runtime.ready().get("serial") == (True if how == "def" else None)
    for path, (_, status, content_type, body) in ANSWERS.items():
        answer = runtime.get(path)
        assert (answer.status, answer.header("content-type"), answer.body, answer.error) == (status, content_type, body, None), path
        assert answer.ended and answer.done
    assert runtime.get("/full").all("set-cookie") == ["a=1", "b=2"]
    multi = runtime.get("/multi")
    assert (multi.all("x"), multi.all("set-cookie")) == (["2", "3"], ["c=1", "d=2"])
    numbers = runtime.get("/numbers")
    assert (numbers.all("x"), numbers.all("y"), numbers.all("z")) == (["5"], [], ["1", "2"])
    for path, (_, message) in BAD.items():
        answer = runtime.get(path)
        kind = 2 if path not in ("/set", "/raw", "/nan") else 1  # an answer that is none; a value that is no JSON
        assert answer.error and message in answer.error[1] and answer.error[0] == kind, (path, answer)
        assert answer.done and answer.status == 0
    assert runtime.request("HEAD", "/full").body == b""


def test_large_answers_wait_for_credit(start):
    runtime = start("def handler(event, context): return {'statusCode': 200, 'body': 'x' * 1_000_000}")
    answer = runtime.begin(granting=False)
    runtime.until(lambda: len(answer.body) == 256 << 10)
    assert not answer.ended
    answer.granting = True
    runtime.send(6, stream=answer.stream, aux=1 << 20)
    assert len(runtime.finished(answer).body) == 1_000_000
    assert runtime.get().status == 200


def test_streamed_answers_come_part_by_part_and_break_off(start):
    runtime = start("""
import asyncio
async def handler(event, context):
    yield "one"
    if event["rawPath"] == "/break": raise KeyError("broke")
    for i in range(100): yield b"x" * 10_000
""")
    answer = runtime.get()
    assert answer.body == b"one" + b"x" * 1_000_000
    broken = runtime.get("/break")
    assert (broken.status, broken.body, broken.error[0], broken.error[1]) == (200, b"one", 2, "KeyError: 'broke'")
    sync = start("""
def handler(event, context):
    def parts():
        yield "a" * 300_000
        if event["rawPath"] == "/break": 1 / 0
        yield "b"
    return {"statusCode": 202, "body": parts()}
""")
    assert sync.get().body == b"a" * 300_000 + b"b"
    assert sync.get("/break").error[:2] == (2, "ZeroDivisionError: division by zero")
    assert sync.get().status == 202


def test_events_come_and_go_as_they_are(start):
    runtime = start("""
def handler(event, context):
    if "fail" in event: raise ValueError("failed")
    return {"statusCode": 7, "got": event}
""")
    assert runtime.request("POST", body='{"a": [1, null]}', event=True).json == {"statusCode": 7, "got": {"a": [1, None]}}
    assert runtime.request("POST", event=True).json == {"statusCode": 7, "got": {}}
    assert runtime.request("POST", body='{"fail": 1}', event=True).error[1] == "ValueError: failed"
    assert "payload is not JSON" in runtime.request("POST", body="{", event=True).error[1]


def test_async_handlers_run_at_once_and_are_cancelled(start):
    runtime = start("""
import asyncio, contextvars
gate, seen = asyncio.Event(), []
async def handler(event, context):
    if event["rawPath"] == "/open": gate.set()
    if event["rawPath"] == "/seen": return seen
    try:
        await asyncio.wait_for(gate.wait(), 60)
    except asyncio.CancelledError:
        seen.append(asyncio.current_task().cancelling())
        raise
    return await asyncio.to_thread(lambda: event["rawPath"])
""")
    waiting = [runtime.begin(target=f"/{i}") for i in range(50)]
    gone, late = waiting[3], waiting[4]
    runtime.abort(gone)
    runtime.abort(late, deadline=True)
    runtime.until(lambda: gone.done and late.done)
    assert gone.status == late.status == 0 and gone.error is None
    assert runtime.get("/seen").json == [1, 1]
    runtime.get("/open")
    for i, answer in enumerate(waiting):
        if answer not in (gone, late):
            assert runtime.finished(answer).text == f"/{i}"
    runtime.send(PING, aux=7)
    runtime.until(lambda: runtime.pongs == [7])


def test_a_sync_handler_may_use_asyncio_threads_and_return_an_awaitable(start):
    runtime = start("""
import asyncio, threading, functools
async def answer(text):
    await asyncio.sleep(0.001)
    return text
def handler(event, context):
    path = event["rawPath"]
    if path == "/run": return asyncio.run(answer("run"))
    if path == "/loop": return asyncio.get_event_loop().run_until_complete(asyncio.to_thread(lambda: "looped"))
    if path == "/awaitable": return answer("awaited")
    if path == "/generator": return numbers()
    result = []
    thread = threading.Thread(target=lambda: result.append("thread"))
    thread.start(); thread.join()
    return result[0]
async def numbers():
    for i in range(3):
        await asyncio.sleep(0)
        yield str(i)
""")
    for _ in range(2):
        assert [runtime.get(f"/{what}").text for what in ("loop", "awaitable", "generator", "thread", "run")] == ["looped", "awaited", "012", "thread", "run"]
        runtime.instance()


def test_loops_of_instances_are_their_own(start):
    """Each wakes by itself, from threads and by signals, though all were born with the same loop."""
    runtime = start("""
import asyncio, os, signal
async def handler(event, context):
    loop = asyncio.get_running_loop()
    with open(f"/proc/self/fdinfo/{loop._selector.fileno()}") as file: watched = file.read().count("tfd:")
    signalled = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, signalled.set)
    await asyncio.to_thread(os.kill, os.getpid(), signal.SIGUSR1)
    await signalled.wait()
    reader, writer = await asyncio.open_unix_connection(path=await listen())
    writer.write(b"sent")
    return (await reader.readexactly(4)).decode() + f" {watched} {os.getpid()}"
async def listen():
    path = f"/tmp/mayfly-{os.getpid()}"
    async def echo(reader, writer):
        writer.write(await reader.readexactly(4))
        os.unlink(path)
    await asyncio.start_unix_server(echo, path)
    return path
""")
    answers = [runtime.instance().get() for _ in range(3)]
    assert all(answer.text.startswith("sent 2 ") for answer in answers), answers  # the daemon, other threads
    assert len({answer.text for answer in answers}) == 3


def test_a_request_whose_client_leaves_while_it_is_sent_is_never_begun(start):
    runtime = start("count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count")
    answer = runtime.begin("POST", body="a", more=True)
    runtime.abort(answer)
    runtime.finished(answer)
    assert runtime.get().json == 1


def test_a_wsgi_application_that_is_not_known_for_one_hears_why(start):
    runtime = start("def app(a, b):\n    b('200 OK', [])\n    return [b'x']")
    kind, message, stack = runtime.get().error
    assert "'Context' object is not callable" in message
    assert "called as handler(event, context). A WSGI application is known by its parameters" in stack


def test_a_generator_is_closed_when_the_client_leaves(start):
    runtime = start("""
import asyncio, time
def handler(event, context):
    return {"/sync": steps, "/async": async_steps}[event["rawPath"]]()
def steps():
    try:
        while True:
            yield b"data"
            time.sleep(0.01)
    finally:
        print("closed")
async def async_steps():
    try:
        while True:
            yield b"data"
            await asyncio.sleep(0.01)
    finally:
        print("closed")
""")
    for path in ("/sync", "/async"):
        answer = runtime.begin(target=path)
        runtime.until(lambda: answer.body)
        runtime.abort(answer)
        assert runtime.finished(answer).error is None
        runtime.until(lambda: any((entry.text, entry.invocation) == ("closed", answer.invocation) for entry in runtime.logs))
