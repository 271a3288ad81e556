"""Functions call functions: answers, streams, errors, deadlines; on one shard and over two."""

import hashlib
import json
import time

import pytest

from support import processes

# Each function reflects what it was asked, so that a caller can show what arrived.
ECHO = """export default { async fetch(request, env) {
  const body = new Uint8Array(await request.arrayBuffer());
  return Response.json({ method: request.method, path: new URL(request.url).pathname, length: body.length,
    headers: Object.fromEntries(request.headers) }, { status: 207, headers: { "x-echo": "yes" } });
} };"""

# POST / {name, ...init}: calls it and shows the answer, or why there is none.
CALLER = """export default { async fetch(request, env) {
  const { name, wait, ...init } = await request.json();
  try {
    const answer = await env.invoke(name, init);
    return Response.json({ status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() });
  } catch (error) {
    return Response.json({ error: error.name, type: error.type, status: error.status, message: error.message, details: error.details });
  }
} };"""

# Sends what it gets through another function, reading nothing of it.
RELAY = """export default { async fetch(request, env) {
  const to = new URL(request.url).searchParams.get("to");
  return env.functions[to].fetch(request);
} };"""
BYTES = """export default { async fetch(request) {
  const length = Number(new URL(request.url).searchParams.get("length"));
  let left = length;
  return new Response(new ReadableStream({ type: "bytes", pull(controller) {
    if (left === 0) { controller.close(); controller.byobRequest?.respond(0); return; }
    const size = Math.min(left, 50_000);
    controller.enqueue(new Uint8Array(size).fill(left % 251));
    left -= size;
  } }));
} };"""
SUM = """import { createHash } from "node:crypto";
export default { async fetch(request) {
  const hash = createHash("sha256");
  let length = 0;
  for await (const part of request.body) { hash.update(part); length += part.length; }
  return Response.json({ length, sha256: hash.digest("hex") });
} };"""
WAITS = """let waiting = 0, cancelled = 0;
export default { async fetch(request) {
  if (request.method === "GET") return Response.json({ waiting, cancelled });
  ++waiting;
  request.signal.addEventListener("abort", () => { --waiting; ++cancelled; });
  await new Promise((resolve) => setTimeout(resolve, 30_000));
} };"""
DEEP = """export default { async fetch(request, env) {
  const { depth = 1 } = await request.json();
  try {
    const answer = await env.invoke("deep", { method: "POST", body: JSON.stringify({ depth: depth + 1 }) });
    return new Response(answer.body, { status: answer.status });
  } catch (error) {
    return Response.json({ depth, type: error.type, status: error.status });
  }
} };"""


@pytest.fixture(scope="module", params=["1", "2"], ids=["one-shard", "two-shards"])
def functions(start_daemon, request):
    daemon = start_daemon("--threads", request.param)
    for name, code in {"echo": ECHO, "caller": CALLER, "relay": RELAY, "bytes": BYTES, "sum": SUM, "waits": WAITS,
                       "deep": DEEP, **{f"echo{i}": ECHO for i in range(6)}}.items():
        daemon.deploy(name, code, **({"max_instances": "1"} if name == "waits" else {}))
    return daemon


def call(daemon, **what) -> dict:
    answer = daemon.request("/caller", "POST", body=json.dumps(what).encode(), timeout=40)
    assert answer.status == 200, answer.text
    return answer.json


def test_the_callee_gets_the_request_and_the_caller_the_answer(functions):
    for name in ("echo", *(f"echo{i}" for i in range(6))):  # of both shards, where there are two
        answer = call(functions, name=name, method="PUT", path="/a/b?c=d", headers={"x-one": "1"}, body="hello")
        assert answer["status"] == 207 and answer["headers"]["x-echo"] == "yes"
        seen = json.loads(answer["text"])
        assert seen["method"] == "PUT" and seen["path"] == "/a/b" and seen["length"] == 5
        assert seen["headers"]["x-one"] == "1" and seen["headers"]["content-length"] == "5"


def test_a_caller_cannot_say_who_calls(functions):
    """Fields that the gateway alone gives do not come from another function."""
    forged = {"mayfly-key": "admin", "Mayfly-Jwt-Claims": "e30", "mayfly_key": "admin", "x-forwarded-prefix": "/x", "x-own": "kept"}
    seen = json.loads(call(functions, name="echo", headers=forged)["text"])["headers"]
    assert seen["x-own"] == "kept"
    assert not {"mayfly-key", "mayfly-jwt-claims", "mayfly_key", "x-forwarded-prefix"} & set(seen), seen


def test_the_trace_goes_on(functions):
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = functions.request("/caller", "POST", body=b'{"name":"echo"}',
                               headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    parent = json.loads(answer.json["text"])["headers"]["traceparent"]
    assert parent == f"00-{trace}-{answer.header('mayfly-invocation')[16:]}-01"


def test_bodies_stream_both_ways_through_a_caller_that_does_not_read_them(functions):
    length = 5_000_000
    answer = functions.request(f"/relay?to=bytes&length={length}")
    assert answer.status == 200 and len(answer.body) == length
    body = bytes(range(256)) * 20_000
    answer = functions.request("/relay?to=sum", "POST", body=body)
    assert answer.json == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_what_is_not_there_is_an_error_with_a_type(functions):
    answer = call(functions, name="nobody")
    assert answer["error"] == "CallError" and answer["type"] == "urn:mayfly:router:unknown-function"
    assert answer["status"] == 404


def test_a_function_that_is_not_public_has_to_be_listed(functions):
    functions.deploy("vault", ECHO, access="key")
    answer = call(functions, name="vault")
    assert answer["type"] == "urn:mayfly:call:not-allowed" and answer["status"] == 403
    assert 'calls = ["vault"] in [functions.caller]' in answer["message"]
    functions.deploy("caller", CALLER, calls="va*")
    assert call(functions, name="vault")["status"] == 207


def test_a_topic_has_to_be_listed_and_its_subscribers_get_the_event(functions):
    publisher = """export default { async fetch(request, env) {
      try { return Response.json(await env.publish(await request.text(), { a: 1 })); }
      catch (error) { return Response.json({ type: error.type, message: error.message }); }
    } };"""
    functions.deploy("publisher", publisher, publishes="image.*")
    refused = functions.request("/publisher", "POST", body=b"other").json
    assert refused["type"] == "urn:mayfly:call:topic-not-allowed"
    assert 'publishes = ["other"]' in refused["message"]
    functions.deploy("subscriber", """let got = [];
      export default { fetch: () => Response.json(got), queue(batch) { for (const { attributes, body } of batch.messages) got.push([attributes ?? body, body]); } };""",
                     max_instances="1", **{"on.topic": "image.new"})
    answer = functions.request("/publisher", "POST", body=b"image.new").json
    assert len(answer["events"]) == 1 and answer["id"]
    processes.eventually(lambda: functions.request("/subscriber").json)
    assert functions.request("/subscriber").json[0][1] == {"a": 1}


def test_a_loop_is_cut_at_a_depth(functions):
    answer = functions.request("/deep", "POST", body=b"{}")
    assert answer.json == {"depth": 17, "type": "urn:mayfly:call:depth", "status": 508}


def test_a_call_ends_with_the_deadline_of_its_caller_and_says_whose_it_was(functions):
    functions.deploy("hurried", CALLER, timeout="300ms")
    functions.deploy("patient", WAITS, timeout="20s")
    began = time.monotonic()
    answer = functions.request("/hurried", "POST", body=b'{"name":"patient","method":"POST"}')
    assert time.monotonic() - began < 10
    assert answer.status == 504 and answer.json["type"] == "urn:mayfly:scheduler:deadline-exceeded"
    assert answer.json["limit"] == "300 ms" and "it waited for patient" in answer.json["detail"]


def test_a_function_that_waits_for_its_own_only_slot_ends_by_the_deadline(functions):
    functions.deploy("narcissus", """export default { fetch(request, env) { return env.invoke("narcissus"); } };""",
                     timeout="400ms", max_instances="1", concurrency="1")
    answer = functions.request("/narcissus")
    assert answer.status == 504 and answer.json["limit"] == "400 ms"
    assert "it waited for narcissus (which waited for a free instance" in answer.json["detail"]
    functions.deploy("narcissus", ECHO)
    assert functions.request("/narcissus").status == 207


def test_a_client_that_leaves_takes_the_calls_of_its_request_along(functions):
    with functions.wire() as wire:
        body = b'{"name":"waits","method":"POST"}'
        wire.send(b"POST /caller HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        processes.eventually(lambda: functions.request("/waits").json["waiting"] == 1)
    processes.eventually(lambda: functions.request("/waits").json["waiting"] == 0)
    assert functions.request("/waits").json["cancelled"] >= 1


def test_work_after_the_answer_may_call(functions):
    functions.deploy("store", """let seen = 0;
      export default { async fetch(request) { if (request.method === "POST") ++seen; return Response.json({ seen }); } };""",
                     max_instances="1")
    functions.deploy("later", """export default { fetch(request, env, ctx) {
      ctx.waitUntil((async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await env.invoke("store", { method: "POST" });
      })());
      return new Response("accepted");
    } };""")
    assert functions.request("/later").text == "accepted"
    processes.eventually(lambda: functions.request("/store").json["seen"] == 1)


def test_a_caller_that_dies_ends_its_calls_and_a_callee_that_dies_is_an_error(functions):
    functions.deploy("dies", "export default { fetch() { process.exit(3); } };")
    answer = call(functions, name="dies")
    assert answer["type"] == "urn:mayfly:pool:instance-exited" and answer["status"] == 502
    before = functions.request("/waits").json["cancelled"]
    functions.deploy("leaves", """export default { async fetch(request, env) {
      setTimeout(() => process.exit(1), 100);
      return env.invoke("waits", { method: "POST" });
    } };""")
    assert functions.request("/leaves").status == 502
    processes.eventually(lambda: functions.request("/waits").json == {"waiting": 0, "cancelled": before + 1})


def test_many_calls_at_once_each_get_their_own_answer(functions):
    functions.deploy("joins", """export default { async fetch(request, env) {
      const bodies = Array.from({ length: 200 }, (_, i) => "x".repeat(i * 40));
      const answers = await Promise.all(bodies.map((body, i) => env.invoke("echo" + i % 6, { method: "POST", body })));
      return Response.json(await Promise.all(answers.map(async (answer) => (await answer.json()).length)));
    } };""")
    assert functions.request("/joins").json == [i * 40 for i in range(200)]


def test_more_calls_than_one_instance_may_have_open_are_refused_there(functions):
    functions.deploy("floods", """export default { async fetch(request, env) {
      const calls = Array.from({ length: 1025 }, () => env.invoke("waits", { method: "POST" }));
      const last = await Promise.allSettled(calls.slice(1024));
      return Response.json(last.map(({ reason }) => reason?.message));
    } };""", timeout="5s")
    assert "1024 calls are open" in functions.request("/floods", timeout=20).json[0]


def test_lambda_and_express_call_as_well(functions):
    functions.deploy("lambda", """export const handler = async (event, context) => {
      const answer = await context.invoke("summer", { payload: { a: 2, b: 3 } });
      return { statusCode: 200, body: await answer.text() };
    };""", handler="handler")
    functions.deploy("summer", "export const handler = async (event) => event.a + event.b;", handler="handler")
    functions.deploy("express", """export default async (req, res) => {
      const answer = await req.mayfly.invoke("echo", "/from/express");
      res.end((await answer.json()).path);
    };""")
    assert functions.request("/lambda").text == "5"
    assert functions.request("/express").text == "/from/express"
