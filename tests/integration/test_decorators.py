"""Functions wrapped around functions: what they may change, that bodies stream through them, and how it fails."""

import hashlib
import json

import pytest

from support import events, processes

AUTH = """export default { async fetch(request, env) {
  if (request.headers.get("x-token") !== "good") return new Response("who are you?", { status: 401 });
  const inner = new Request(request, { headers: [...request.headers, ["x-user", "ada"]] });
  inner.headers.delete("x-token");
  const answer = await env.next(inner);
  answer.headers.set("x-auth", "checked");
  return answer;
} };"""
DEFAULTS = """export default { async fetch(request, env) {
  const url = new URL(request.url);
  if (!url.searchParams.has("size")) url.searchParams.set("size", "20");
  return env.next(new Request(url, request));
} };"""
PASS = "export default { fetch: (request, env) => env.next(request) };"
SHOW = """export default { async fetch(request) {
  const url = new URL(request.url);
  return Response.json({ path: url.pathname, size: url.searchParams.get("size"), headers: Object.fromEntries(request.headers),
    body: await request.text() }, { status: 202 });
} };"""
SUM = """import { createHash } from "node:crypto";
export default { async fetch(request) {
  const hash = createHash("sha256");
  let length = 0;
  for await (const part of request.body) { hash.update(part); length += part.length; }
  return Response.json({ length, sha256: hash.digest("hex") });
} };"""
BYTES = """export default { async fetch(request) {
  let left = 5_000_000;
  return new Response(new ReadableStream({ pull(controller) {
    if (left === 0) return controller.close();
    const size = Math.min(left, 50_000);
    controller.enqueue(new Uint8Array(size));
    left -= size;
  } }, { highWaterMark: 0 }));
} };"""


@pytest.fixture(scope="module", params=["1", "2"], ids=["one-shard", "two-shards"])
def wrapped(start_daemon, request):
    daemon = start_daemon("--threads", request.param)
    for name, code in {"auth": AUTH, "defaults": DEFAULTS, "pass": PASS}.items():
        daemon.deploy(name, code)
    daemon.deploy("list", SHOW, wrap=["auth", "defaults"], timeout="700ms", routes="GET /shop/*")
    for i in range(3):
        daemon.deploy(f"sum{i}", SUM, wrap=["pass", "pass"])
        daemon.deploy(f"bytes{i}", BYTES, wrap="pass")
    return daemon


def test_decorators_change_the_request_and_the_answer_from_outside_to_inside(wrapped):
    answer = wrapped.request("/list/items", headers={"x-token": "good"})
    assert answer.status == 202 and answer.header("x-auth") == "checked"
    seen = answer.json
    assert seen["path"] == "/items" and seen["size"] == "20"
    assert seen["headers"]["x-user"] == "ada" and "x-token" not in seen["headers"]
    assert seen["headers"]["x-forwarded-prefix"] == "/list"
    assert len(answer.header("mayfly-invocation")) == 32 and "run" in answer.header("server-timing")


def test_a_request_that_is_answered_later_meets_its_decorators_then(wrapped):
    for token, status in [("good", 202), ("bad", 401)]:
        accepted = events.accept(wrapped, "/list/items?a=1", "GET", headers={"x-token": token})
        assert accepted.status == 202, accepted.text
        location = accepted.header("location")
        events.until(wrapped, location)
        result = wrapped.request(f"{location}/result")
        assert result.status == status, result.text
        if token == "good":
            assert result.json["size"] == "20" and result.json["headers"]["x-user"] == "ada"


def test_a_request_of_the_admin_plane_meets_decorators_and_a_payload_does_not(wrapped):
    def invoke(query):
        return wrapped.admin(f"/v1/functions/list/invocations{query}", "POST", headers={"x-token": "none"}, body=b"{}")
    assert invoke("?method=GET&path=/items").status == 401
    assert invoke("").json["size"] is None


def test_a_decorator_may_answer_itself(wrapped):
    answer = wrapped.request("/list")
    assert (answer.status, answer.text) == (401, "who are you?")


def test_a_route_of_a_wrapped_function_goes_through_its_decorators(wrapped):
    assert wrapped.request("/shop/a").status == 401
    assert wrapped.request("/shop/a", headers={"x-token": "good"}).json["path"] == "/shop/a"


def test_a_version_by_its_number_is_wrapped_as_well(wrapped):
    wrapped.deploy("later", SHOW)
    assert wrapped.request("/later@1").status == 202
    wrapped.deploy("later", SHOW, wrap="auth")
    assert wrapped.request("/later").status == 401
    assert wrapped.request("/later@1").status == 401


def test_bodies_stream_through_decorators_both_ways(wrapped):
    body = bytes(range(256)) * 20_000
    for i in range(3):
        answer = wrapped.request(f"/sum{i}", "POST", body=body)
        assert answer.json == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        assert len(wrapped.request(f"/bytes{i}").body) == 5_000_000


def test_a_call_of_a_wrapped_function_goes_through_its_decorators(wrapped):
    wrapped.deploy("asks", """export default { async fetch(request, env) {
      return Response.json((await Promise.all([{}, { "x-token": "good" }].map((headers) => env.invoke("list", { headers })))).map(({ status }) => status));
    } };""")
    assert wrapped.request("/asks").json == [401, 202]


def test_the_deadline_is_that_of_what_is_wrapped_and_counts_once(wrapped):
    wrapped.deploy("sleeps", "export default { async fetch() { await new Promise((r) => setTimeout(r, 20_000)); } };",
                   wrap="pass", timeout="300ms")
    answer = wrapped.request("/sleeps")
    assert answer.status == 504 and answer.json["limit"] == "300 ms" and answer.json["limit-of"] == "sleeps@1"


def test_next_outside_of_a_chain_is_an_error_with_a_type(wrapped):
    wrapped.deploy("lonely", """export default { async fetch(request, env) {
      try { return await env.next(request); } catch (error) { return Response.json({ type: error.type, message: error.message }); }
    } };""")
    answer = wrapped.request("/lonely").json
    assert answer["type"] == "urn:mayfly:call:no-next" and 'wrap = ["lonely"]' in answer["message"]


def test_a_decorator_that_goes_is_an_error_at_the_request(wrapped):
    wrapped.deploy("goes", PASS)
    wrapped.deploy("stays", SHOW, wrap="goes")
    assert wrapped.request("/stays").status == 202
    assert wrapped.admin("/v1/functions/goes", "DELETE").status in (200, 204)

    def missing():
        answer = wrapped.request("/stays")
        return answer.status == 502 and answer.json["type"] == "urn:mayfly:call:missing-decorator"

    processes.eventually(missing)


def test_a_decorator_that_is_not_there_yet_is_a_warning(wrapped):
    deployed = wrapped.deploy("hopes", SHOW, wrap="comes")
    assert any("'comes'" in warning for warning in deployed["warnings"])
    assert wrapped.request("/hopes").status == 502
    wrapped.deploy("comes", PASS)
    assert wrapped.request("/hopes").status == 202


def test_a_loop_of_decorators_is_refused_by_its_depth(wrapped):
    wrapped.deploy("ring-a", PASS)
    wrapped.deploy("ring-b", PASS, wrap="ring-a")
    wrapped.deploy("ring-a", PASS, wrap="ring-b")
    answer = wrapped.request("/ring-a")
    assert answer.status == 508 and answer.json["type"] == "urn:mayfly:call:depth"


def test_a_decorator_that_dies_or_throws_is_the_answer(wrapped):
    wrapped.deploy("throws", "export default { fetch() { throw new Error('secret'); } };")
    wrapped.deploy("covered", SHOW, wrap="throws")
    answer = wrapped.request("/covered")
    assert answer.status == 500 and answer.json["type"] == "urn:mayfly:pool:handler-threw" and "secret" not in answer.text


def test_access_of_what_is_wrapped_is_checked_before(wrapped):
    wrapped.deploy("locked", SHOW, wrap="auth", access="key")
    answer = wrapped.request("/locked", headers={"x-token": "good"})
    assert answer.status == 401 and answer.json["type"] == "urn:mayfly:access:key-needed"


def test_a_client_that_leaves_is_told_to_the_innermost(wrapped):
    wrapped.deploy("waits", """let waiting = 0;
      export default { async fetch(request) {
        if (request.method === "GET") return Response.json(waiting);
        ++waiting;
        request.signal.addEventListener("abort", () => { --waiting; });
        await new Promise((resolve) => setTimeout(resolve, 9_000));
      } };""", wrap=["pass", "pass"], max_instances="1")
    with wrapped.wire() as wire:
        wire.send(b"POST /waits HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        processes.eventually(lambda: json.loads(wrapped.request("/waits").body) == 1)
    processes.eventually(lambda: json.loads(wrapped.request("/waits").body) == 0)
