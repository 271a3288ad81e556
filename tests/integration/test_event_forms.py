"""Events of queues and schedules, handed to functions of every form: the delivery is made by hand, as an event with a
header. What the forms make of it in detail is tested with the runtimes."""

import json

import pytest

TIME = "2026-12-01T10:00:00.000Z"
IDS = [f"{number:032x}" for number in (1, 2)]

QUEUE_OF_WORKERS = """export default {
  queue(batch) { for (const message of batch.messages) if (message.body === "bad") message.retry({ delaySeconds: 30 }); },
  scheduled: (controller) => controller.cron,
};"""
HANDLERS = {
    "workers": ("index.mjs", QUEUE_OF_WORKERS, 30),
    "lambda": ("index.mjs", """export const handler = async (event) => (event.Records === undefined ? event.resources[0]
      : { batchItemFailures: event.Records.filter(({ body }) => body === '"bad"').map(({ messageId }) => ({ itemIdentifier: messageId })) });""", None),
    "fetch": ("index.mjs", """export default { async fetch(request) {
      if (request.headers.get("ce-type") === "mayfly.schedule") return Response.json(decodeURIComponent(request.headers.get("ce-schedule")));
      return new Response("unwanted", await request.json() === "bad" ? { status: 503, headers: { "retry-after": "30" } } : {});
    } };""", 30),
    "python": ("main.py", """
def queue(batch, context):
    for message in batch:
        if message.body == "bad": message.retry(delay_seconds=30)
async def scheduled(event, context):
    return event.cron
""", 30),
    "python-lambda": ("main.py", """
def handler(event, context):
    if "Records" not in event: return event["resources"][0]
    return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in event["Records"] if each["body"] == '"bad"']}
""", None),
    "python-asgi": ("main.py", """
import json, urllib.parse
async def app(scope, receive, send):
    if scope["type"] != "http": return
    headers, body, status, more = dict(scope["headers"]), (await receive())["body"], 200, []
    if headers[b"ce-type"] == b"mayfly.schedule": answer = json.dumps(urllib.parse.unquote(headers[b"ce-schedule"].decode()))
    else: answer = "unwanted"
    if body == b'"bad"': status, more = 503, [(b"retry-after", b"30")]
    await send({"type": "http.response.start", "status": status, "headers": more})
    await send({"type": "http.response.body", "body": answer.encode()})
""", 30),
    "bootstrap": ("bootstrap", """#!/usr/bin/env python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = api.getresponse()
    return answer.getheader("Lambda-Runtime-Aws-Request-Id"), json.loads(answer.read())
def handler(event):
    if "Records" not in event: return event["resources"][0]
    return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in event["Records"] if each["body"] == '"bad"']}
while True:
    request, event = call("GET", "next")
    call("POST", request + "/response", json.dumps(handler(event)))
""", None),
}


def deliver(daemon, name, kind, body):
    return daemon.admin(f"/v1/functions/{name}/invocations", "POST", json=body, headers={"mayfly-event": kind})


def batch(*data):
    attributes = {"specversion": "1.0", "id": "a", "source": "/test", "type": "made", "datacontenttype": "application/json"}
    return {"queue": "orders", "messages": [
        {"id": name, "timestamp": TIME, "attempts": 1, "attributes": attributes, "data": one} for name, one in zip(IDS, data)]}


@pytest.mark.parametrize("form", HANDLERS)
def test_a_batch_and_a_schedule(daemon, form):
    file, code, delay = HANDLERS[form]
    name = f"takes-{form}"
    daemon.deploy(name, code, file=file)
    retry = {"id": IDS[1]} if delay is None else {"id": IDS[1], "delay_s": delay}
    answer = deliver(daemon, name, "queue", batch("good", "bad"))
    assert (answer.status, answer.header("content-type"), answer.json) == (200, "application/json", {"retry": [retry]}), answer.text
    assert deliver(daemon, name, "queue", batch("good")).json == {}
    answer = deliver(daemon, name, "schedule", {"schedule": "0 3 * * *", "timezone": "UTC", "time": TIME})
    assert (answer.status, answer.json) == (200, "0 3 * * *"), answer.text


STREAMS = """#!/usr/bin/env python3
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
PRELUDE = "application/vnd.awslambda.http-integration-response"
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    given = api.getresponse()
    path = "/2018-06-01/runtime/invocation/" + given.getheader("Lambda-Runtime-Aws-Request-Id") + "/response"
    records = json.loads(given.read())["Records"]
    how = records[0]["body"].strip('"')
    text = json.dumps({"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in records if each["body"] == '"bad"']}).encode()
    if how == "long":
        text += b" " * (7 << 20)
    parts = [text[:10], text[10:]]
    if how == "prelude":
        parts.insert(0, b'{"statusCode":200}' + bytes(8))
    if how == "breaks off":
        api.putrequest("POST", path)
        api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        api.putheader("Content-Length", "1000")
        api.endheaders(text)
        api.close()
        continue
    kind = PRELUDE if how in ("prelude", "none") else "application/json"
    api.request("POST", path, iter(parts), {"Content-Type": kind, "Lambda-Runtime-Function-Response-Mode": "streaming"}, encode_chunked=True)
    api.getresponse().read()
"""


def test_a_streamed_answer_to_a_batch_names_what_comes_again(daemon):
    daemon.deploy("streams", STREAMS, file="bootstrap", max_instances="1")
    for how in ("good", "prelude"):
        answer = deliver(daemon, "streams", "queue", batch(how, "bad"))
        assert (answer.status, answer.header("content-type"), answer.json) == (200, "application/json", {"retry": [{"id": IDS[1]}]})
    for how, said in (("long", "6 MiB"), ("none", "no prelude"), ("breaks off", "TruncatedResponse")):
        answer = deliver(daemon, "streams", "queue", batch(how, "bad"))
        assert answer.status >= 500 and said in answer.text, answer.text
    assert deliver(daemon, "streams", "queue", batch("good")).json == {}


def test_what_is_no_delivery_fails_and_the_bootstrap_serves_on(daemon):
    daemon.deploy("odd", HANDLERS["bootstrap"][1], file="bootstrap", max_instances="1")
    for kind in ("queue", "schedule"):
        answer = deliver(daemon, "odd", kind, [])
        assert (answer.status, answer.problem) == (500, "urn:mayfly:pool:handler-threw"), answer.text
    assert deliver(daemon, "odd", "queue", batch("bad")).json == {"retry": [{"id": IDS[0]}]}


def test_the_only_message_of_a_delivery_hands_on_a_failure(daemon):
    daemon.deploy("fails", """export default { fetch: () => new Response("the body", { status: 422 }) };""")
    answer = deliver(daemon, "fails", "queue", batch("bad"))
    assert (answer.status, answer.text) == (422, "the body")
    daemon.deploy("throws", """export default { queue() { throw new TypeError("whole"); } };""")
    answer = deliver(daemon, "throws", "queue", batch("a", "b"))
    assert (answer.status, answer.json["type"]) == (500, "urn:mayfly:pool:handler-threw") and "index.js:1" in answer.json["stack"]


def test_a_client_cannot_make_events(daemon):
    daemon.deploy("both", """export default { fetch: () => new Response("fetched"), queue() { throw new Error("taken"); } };""")
    body = json.dumps(batch("a")).encode()
    answer = daemon.request("/both", "POST", body=body, headers={"mayfly-event": "queue", "content-type": "application/json"})
    assert (answer.status, answer.text) == (200, "fetched")


def test_a_function_for_events_only_refuses_requests(daemon):
    for name, file, code in (("only", "index.mjs", "export const queue = () => {};"), ("only-python", "main.py", "def queue(batch, context): pass")):
        daemon.deploy(name, code, file=file)
        answer = daemon.request(f"/{name}")
        assert (answer.status, answer.json["type"]) == (404, "urn:mayfly:function:events-only")
        assert answer.json["invocation"] == answer.header("mayfly-invocation")
        assert deliver(daemon, name, "queue", batch("a")).json == {}
