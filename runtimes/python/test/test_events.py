"""Events of queues and schedules, for functions of every form."""

import json
from datetime import datetime

import pytest

TIME = "2026-12-01T10:00:00.000Z"
MOMENT = datetime.fromisoformat(TIME).timestamp()
ATTRIBUTES = {"id": "event", "source": "/test", "specversion": "1.0", "type": "made", "datacontenttype": "application/json"}


def message(number, **more):
    return {"id": f"{number:032}", "timestamp": TIME, "attempts": 1, "attributes": ATTRIBUTES, "data": {"number": number}, **more}


def without_data(number, **more):
    made = message(number, **more)
    del made["data"]
    return made


THREE = [message(number) for number in (1, 2, 3)]
FIRST, SECOND, THIRD = (each["id"] for each in THREE)


def deliver(runtime, kind, body, **more):
    text = body if isinstance(body, str) else json.dumps(body)
    return runtime.request("POST", body=text, event=True, headers=[("mayfly-event", kind)], **more)


def queue(runtime, messages, name="orders"):
    return deliver(runtime, "queue", {"queue": name, "messages": messages})


def schedule(runtime, **more):
    return deliver(runtime, "schedule", {"schedule": "0 3 * * *", "timezone": "Europe/Berlin", "time": TIME, **more})


CASES = {
    "nothing": ("pass", []),
    "ack_all": ("b.ack_all()", []),
    "retry_all": ("b.retry_all(delay_seconds=7.2)", [{"id": each["id"], "delay_s": 8} for each in THREE]),
    "one": ("b.messages[1].retry(delay_seconds=30); b.messages[2].retry()", [{"id": SECOND, "delay_s": 30}, {"id": THIRD}]),
    "first": ("x, y, z = b; x.ack(); x.retry(); y.retry(); y.ack(); b.retry_all(); b.ack_all()", [{"id": SECOND}, {"id": THIRD}]),
    "late": ("b.ack_all(); b.messages[0].retry()", []),
    "acked": ("b.messages[0].ack(); b.messages[1].retry(5); raise KeyError('half')", [{"id": SECOND, "delay_s": 5}, {"id": THIRD}]),
    "everything": ("b.ack_all(); raise KeyError('late')", []),
}
FAILURES = {
    "raises": ("raise TypeError('no')", "TypeError: no"),
    "delay": ("b.retry_all('soon')", "TypeError: delay_seconds must be a number of seconds, not 'soon'"),
}
SERVER = "\nasync def app(scope, receive, send): assert scope['type'] == 'lifespan'"


@pytest.mark.parametrize("how, form", [("def", "events"), ("async def", "events"), ("def", "asgi"), ("async def", "lambda")])
def test_what_becomes_of_each_message(start, how, form):
    """Served one at a time, on asyncio, in a thread beside asyncio, and on a loop beside the bridge's."""
    lines = "\n".join(f"    if b.queue == '{name}': {code}" for name, (code, _) in {**CASES, **FAILURES}.items())
    more = {"asgi": SERVER, "lambda": "\ndef handler(event, context): pass", "events": ""}[form]
    runtime = start(f"{how} queue(b, context):\n    print(b.queue, len(b), context.get_remaining_time_in_millis() > 0, end='')\n{lines}{more}")
    ready = runtime.ready()
    assert (ready["form"], "serial" in ready) == (form, (how, form) in (("def", "events"), ("async def", "lambda")))
    for name, (_, retry) in CASES.items():
        answer = queue(runtime, THREE, name)
        assert (answer.status, answer.header("content-type")) == (200, "application/json"), (name, answer.error)
        assert answer.json == ({"retry": retry} if retry else {}) and answer.done, name
        entry = runtime.log(f"{name} 3 True")
        assert entry.invocation == answer.invocation
    for name, (_, wanted) in FAILURES.items():
        answer = queue(runtime, THREE, name)
        assert (answer.status, answer.error[:2], answer.done) == (0, (1, wanted), True), name
        assert "main.py" in answer.error[2] and "_mayfly" not in answer.error[2]
    assert runtime.log("KeyError: 'half'").level == 4 and runtime.log("KeyError: 'late'")


def test_what_a_message_has(start):
    runtime = start("""
def queue(batch, context):
    for each in batch.messages:
        print([each.id, each.timestamp.timestamp(), each.attempts, each.attributes.get("type"), each.body])
""")
    text = {**ATTRIBUTES, "datacontenttype": "text/plain"}
    answer = queue(runtime, [message(1, attempts=3), message(2, attributes=text, data="words"), without_data(3, data_base64="AP8="), without_data(4)])
    assert answer.json == {}
    for number, attempts, body in ((1, 3, "{'number': 1}"), (2, 1, "'words'"), (3, 1, r"b'\x00\xff'"), (4, 1, "None")):
        assert runtime.log(f"['{number:032}', {MOMENT}, {attempts}, 'made', {body}]")


@pytest.mark.parametrize("how", ["def", "async def"])
def test_a_schedule(start, how):
    runtime = start(f"""
{how} scheduled(event, context):
    if event.payload == "never": event.no_retry()
    if event.payload in ("never", "fail"): raise ValueError("bad")
    return [event.type, event.cron, event.timezone, event.scheduled_time.timestamp(), event.payload]
""")
    assert schedule(runtime, payload=[1]).json == ["scheduled", "0 3 * * *", "Europe/Berlin", MOMENT, [1]]
    assert schedule(runtime).json[-1] is None
    assert schedule(runtime, payload="fail").error[:2] == (1, "ValueError: bad")
    never = schedule(runtime, payload="never")
    assert (never.status, never.header("mayfly-retry"), never.json["detail"]) == (500, "never", "ValueError: bad")
    assert runtime.log("ValueError: bad").invocation == never.invocation


def test_events_only(start):
    runtime = start("async def queue(batch, context): pass\nimport queue as scheduled")
    assert runtime.ready() == {"form": "events", "warnings": [], "unsafe": []}
    for refused in (runtime.get("/"), runtime.request("POST", body="{}", event=True)):
        assert (refused.status, refused.header("content-type")) == (404, "application/problem+json")
        assert refused.json["type"] == "urn:mayfly:function:events-only" and refused.json["invocation"] == refused.invocation
    assert "has no scheduled(event, context)" in schedule(runtime).error[1]
    other = start("def scheduled(event, context): pass\ndef queue(items): pass\nclass handler: pass", handler="scheduled")
    assert other.ready() == {"form": "events", "serial": True, "warnings": [], "unsafe": []}
    assert schedule(other).text == "null" and other.get("/").status == 404
    assert "has no queue(batch, context)" in queue(other, THREE).error[1]
    assert "has no handler" in start("class queue:\n    def __init__(self, a, b): pass").failed()["message"]


def test_only_flag_and_header_together_make_a_delivery(start):
    runtime = start("def handler(event, context): return sorted(event)\ndef queue(batch, context): batch.retry_all()")
    assert "rawPath" in runtime.request("POST", headers=[("mayfly-event", "queue")], body="{}").json
    assert runtime.request("POST", body='{"a": 1}', event=True).json == ["a"]
    assert deliver(runtime, "other", {"b": 1}).json == ["b"]
    assert len(queue(runtime, THREE).json["retry"]) == 3
    assert "JSONDecodeError" in deliver(runtime, "queue", "{").error[1]


@pytest.mark.parametrize("how", ["def", "async def"])
def test_a_lambda_handler_gets_records_and_answers_for_each(start, how):
    runtime = start(f"""
import json
{how} handler(event, context):
    if "source" in event: return event
    print(json.dumps(event))
    attributes = event["Records"][0]["messageAttributes"]
    if "fail" in attributes: raise KeyError("whole")
    return json.loads(attributes["act"]["stringValue"]) if "act" in attributes else None
""")
    assert queue(runtime, [message(1, attempts=2), without_data(2, data_base64="AP8=")]).json == {}
    records = json.loads(runtime.log("Records").text)["Records"]
    assert records[0] == {
        "messageId": FIRST, "receiptHandle": FIRST, "body": '{"number":1}', "eventSource": "mayfly:queue", "eventSourceARN": "mayfly:topic:orders",
        "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": str(int(MOMENT * 1000))},
        "messageAttributes": {name: {"stringValue": value, "dataType": "String"} for name, value in ATTRIBUTES.items()}}
    assert (records[1]["body"], records[1]["isBase64Encoded"]) == ("AP8=", True)

    def act(result):
        return queue(runtime, [message(1, attributes={"act": json.dumps(result)}), message(2)])

    for fine in (None, {}, "text", {"batchItemFailures": []}, {"batchItemFailures": None}):
        assert act(fine).json == {}, fine
    assert act({"batchItemFailures": [{"itemIdentifier": SECOND}, {"itemIdentifier": SECOND}]}).json == {"retry": [{"id": SECOND}]}
    for bad in ([{"itemIdentifier": ""}], [{"itemIdentifier": None}], [{"id": SECOND}], [None], "all"):
        assert act({"batchItemFailures": bad}).error[1].startswith("TypeError: batchItemFailures"), bad
    assert queue(runtime, [message(1, attributes={"fail": 1})]).error[:2] == (1, "KeyError: 'whole'")
    scheduled = schedule(runtime, payload={"a": 1})
    assert scheduled.json == {"version": "0", "id": scheduled.invocation, "source": "mayfly.schedule", "detail-type": "Scheduled Event",
                              "time": TIME, "resources": ["0 3 * * *"], "detail": {"a": 1}}
    assert schedule(runtime).json["detail"] == {}


@pytest.mark.parametrize("how", ["def", "async def"])
def test_a_handler_that_yields_takes_all_of_a_batch(start, how):
    runtime = start(f"{how} handler(event, context):\n    yield 'a'\n    print('came to its end')")
    assert queue(runtime, THREE).json == {}
    assert runtime.log("came to its end")


ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http": return
    message = await receive()
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    act = seen(scope["method"], scope["path"], headers, message["body"], headers.get("ce-act"))
    if act["status"] == 0: raise KeyError("thrown")
    after = [(b"Retry-After", act["after"].encode())] if "after" in act else []
    await send({"type": "http.response.start", "status": act["status"], "headers": after})
    await send({"type": "http.response.body", "body": b"body ", "more_body": True})
    await send({"type": "http.response.body", "body": str(act["status"]).encode()})
    assert (await receive())["type"] == "http.disconnect"
    if "late" in act: raise KeyError("late")
"""
WSGI = """
def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if name in environ: headers[name.lower().replace("_", "-")] = environ[name]
    act = seen(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers, body, headers.get("ce-act"))
    if act["status"] == 0: raise KeyError("thrown")
    start_response(f"{act['status']} Word", [("Retry-After", act["after"])] if "after" in act else [])
    yield b"body "
    yield str(act["status"]).encode()
    if "late" in act: raise KeyError("late")
"""


@pytest.mark.parametrize("form, app", [("asgi", ASGI), ("wsgi", WSGI)], ids=["asgi", "wsgi"])
def test_an_application_gets_each_message_as_a_cloud_event_over_http(start, form, app):
    runtime = start("""
import json, urllib.parse
def seen(method, path, headers, body, act):
    print("seen " + json.dumps([method, path, headers, body.decode()]))
    return json.loads(urllib.parse.unquote(act)) if act else {"status": 202}
""" + app)
    assert runtime.ready()["form"] == form

    def requests(count):
        def seen():
            return [json.loads(entry.text[5:]) for entry in runtime.logs if entry.text.startswith("seen ")]

        runtime.until(lambda: len(seen()) >= count)
        return seen()

    def acting(number, **act):
        return message(number, attributes={**ATTRIBUTES, "act": json.dumps(act)})

    attributes = {**ATTRIBUTES, "subject": 'Größe "50 %"', "datacontenttype": "text/plain;charset=utf-8", "number": 5, "flag": True}
    several = queue(runtime, [
        message(1, attributes=attributes, data="wörter"), without_data(2), acting(3, status=500), acting(4, status=503, after="30"),
        acting(5, status=0), acting(6, status=404, after="9"), acting(7, status=200, late=1)])
    ids = [f"{number:032}" for number in range(8)]
    retry = [{"id": ids[3]}, {"id": ids[4], "delay_s": 30}, {"id": ids[5]}, {"id": ids[6]}]
    assert (several.error, several.json) == (None, {"retry": retry + ([{"id": ids[7]}] if form == "wsgi" else [])})
    one, two = requests(7)[:2]
    assert one == ["POST", "/", {
        "host": "example.com", "ce-id": "event", "ce-source": "/test", "ce-specversion": "1.0", "ce-type": "made",
        "ce-subject": "Gr%C3%B6%C3%9Fe%20%2250%20%25%22", "ce-number": "5", "ce-flag": "true",
        "content-type": "text/plain;charset=utf-8", "content-length": "7"}, "wörter"]
    assert "content-type" not in two[2] and two[2]["content-length"] == "0" and two[3] == ""
    for number, status in ((3, 500), (4, 503), (6, 404)):
        assert runtime.log(f"The message {ids[number]} was answered with status {status}").invocation == several.invocation
    assert runtime.log("KeyError: 'thrown'") and runtime.log("KeyError: 'late'")

    good = queue(runtime, [message(1)])
    assert (good.status, good.json, good.done) == (200, {}, True)
    bad = queue(runtime, [acting(1, status=429, after="3")])
    assert (bad.status, bad.header("retry-after"), bad.text, bad.ended, bad.done) == (429, "3", "body 429", True, True)
    assert queue(runtime, [acting(1, status=0)]).error[:2] == (1, "KeyError: 'thrown'")

    answer = schedule(runtime, payload={"status": 1})
    assert (answer.status, answer.text, answer.done) == (202, "body 202", True)
    assert requests(11)[-1] == ["POST", "/", {
        "host": "example.com", "ce-id": answer.invocation, "ce-source": "/schedules", "ce-specversion": "1.0", "ce-type": "mayfly.schedule",
        "ce-time": TIME, "ce-schedule": "0%203%20*%20*%20*", "ce-timezone": "Europe/Berlin",
        "content-type": "application/json", "content-length": "12"}, '{"status":1}']

    body = json.dumps({"queue": "q", "messages": THREE})
    parts = runtime.begin("POST", body=body[:9], more=True, event=True, headers=[("mayfly-event", "queue")])
    runtime.body(parts, body[9:].encode(), last=True)
    assert runtime.finished(parts).json == {}


def test_an_event_that_is_cancelled_ends_with_the_message_it_is_at(start):
    runtime = start("""
import asyncio
async def app(scope, receive, send):
    if scope["type"] != "http": return
    print("begun")
    await asyncio.Event().wait()
""")
    for deadline in (True, False):
        before = len(runtime.logs)
        answer = runtime.begin("POST", body=json.dumps({"queue": "q", "messages": THREE}), event=True, headers=[("mayfly-event", "queue")],
                               timeout=100)
        runtime.until(lambda: len(runtime.logs) > before)
        runtime.abort(answer, deadline=deadline)
        runtime.finished(answer)
        assert [entry.text for entry in runtime.logs[before:]] == ["begun"]
