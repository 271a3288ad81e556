"""Events: requests that are not waited for, topics, schedules; nothing that was accepted is lost."""

import json
import time

import pytest

from support import events

ECHO = """
let count = 0;
export default async (request) => {
  const body = await request.text();
  return new Response(JSON.stringify({ method: request.method, path: new URL(request.url).pathname, body, count: ++count,
    reference: request.headers.get("mayfly-reference"), own: request.headers.get("x-own") }), { status: 201, headers: { "x-answer": "yes" } });
};
"""
FAILING = """
export default async (request) => new Response("no", { status: 503 });
"""
TOPIC_CONSUMER = """
export default {
  async queue(batch, env, ctx) {
    for (const message of batch.messages) {
      console.log(JSON.stringify({ id: message.attributes.id, type: message.attributes.type, body: message.body, attempts: message.attempts }));
      if (message.body === "fail") message.retry({ delaySeconds: 0 });
    }
  },
};
"""


def lines(daemon, function: str, at_least: int = 1, timeout: float = 30) -> list[dict]:
    """What it has logged as JSON, once there is so much of it."""
    deadline = time.monotonic() + timeout
    while True:
        answer = daemon.admin(f"/v1/functions/{function}/logs?tail=1000")
        texts = [json.loads(line)["text"] for line in answer.text.splitlines() if line]
        found = [json.loads(text) for text in texts if text.startswith("{")]
        if len(found) >= at_least:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def key(daemon, name: str, *functions: str) -> dict[str, str]:
    answer = daemon.admin("/v1/keys", "POST", json={"name": name, "functions": list(functions)})
    assert answer.status == 201, answer.text
    return {"x-api-key": answer.json["key"]}


@pytest.fixture(scope="module")
def server(daemon):
    daemon.deploy("echo", ECHO)
    return daemon


def test_a_request_that_is_not_waited_for_is_answered_at_once_and_its_result_is_kept(server):
    accepted = events.accept(server, "/echo/a/b?c=1", "PUT", headers={"x-own": "1"}, body=b"\x00\xffbinary")
    assert accepted.status == 202, accepted.text
    assert accepted.header("preference-applied") == "respond-async"
    location = accepted.header("location")
    assert location == f"/_mayfly/invocations/{accepted.json['invocation']}"
    assert accepted.header("mayfly-invocation") == accepted.json["invocation"]
    done = events.until(server, location)
    assert done["status"] == "succeeded" and done["attempts"] == 1
    assert done["history"][0]["version"] == "echo@1"
    result = server.request(f"{location}/result")
    assert result.status == 201 and result.header("x-answer") == "yes"
    assert result.json["method"] == "PUT" and result.json["path"] == "/a/b" and result.json["own"] == "1"
    assert result.json["reference"] is None


def test_what_is_unknown_is_refused_at_once(server):
    assert events.accept(server, "/nobody").status == 404
    assert events.accept(server, "/echo@99").status == 404
    assert server.request("/_mayfly/invocations/" + "0" * 32).status == 404
    assert server.request("/_mayfly/invocations/../admin").status == 404
    assert server.request("/topics/nobody", "POST", headers=key(server, "any"), body=b"x").status == 404


def test_an_id_cannot_be_guessed_from_another(server):
    location = events.accept(server, "/echo", body=b"x").header("location")
    events.until(server, location)
    other = location[:-1] + ("0" if location[-1] != "0" else "1")
    assert server.request(other).status == 404
    assert server.request(f"{other}/result").status == 404
    assert server.request(other, "DELETE").status == 404
    assert server.request(location[:-13] + "0" * 13).status == 404


def test_the_same_idempotency_key_is_the_same_invocation(server):
    first = events.accept(server, "/echo", headers={"idempotency-key": "k1"}, body=b"one")
    again = events.accept(server, "/echo", headers={"idempotency-key": "k1"}, body=b"one")
    other = events.accept(server, "/echo", headers={"idempotency-key": "k1"}, body=b"two")
    assert first.status == again.status == 202
    assert first.json["invocation"] == again.json["invocation"]
    assert other.status == 422, other.text
    events.until(server, first.header("location"))
    counts = server.request(f"{first.header('location')}/result").json
    assert counts["body"] == "one"


def test_a_version_that_was_asked_for_gets_it(daemon):
    daemon.deploy("versions", 'export default () => new Response("one")')
    daemon.deploy("versions", 'export default () => new Response("two")')
    location = events.accept(daemon, "/versions@1").header("location")
    assert events.until(daemon, location)["history"][0]["version"] == "versions@1"
    assert daemon.request(f"{location}/result").text == "one"


def test_what_fails_is_tried_again_and_is_dead_in_the_end(daemon):
    daemon.deploy("failing", FAILING, **{"async.attempts": "2", "async.backoff": "10ms"})
    location = events.accept(daemon, "/failing").header("location")
    dead = events.until(daemon, location)
    assert dead["status"] == "dead"
    assert [attempt["type"] for attempt in dead["history"]] == ["status", "status"]
    result = daemon.request(f"{location}/result")
    assert result.status == 503 and result.text == "no"


def test_what_waits_can_be_cancelled(daemon):
    daemon.deploy("later", FAILING, **{"async.attempts": "5", "async.backoff": "1h"})
    location = events.accept(daemon, "/later").header("location")
    events.until(daemon, location, "failed")
    assert daemon.request(location, "DELETE").json == {"status": "cancelled"}
    assert events.status(daemon, location)["status"] == "cancelled"
    assert daemon.request(location, "DELETE").status == 409
    assert daemon.request(location, "PATCH").status == 405


def test_a_killed_daemon_has_lost_nothing(start_daemon):
    own_daemon = start_daemon()
    own_daemon.deploy("slow", "export default async () => { await new Promise((r) => setTimeout(r, 300)); return new Response('done'); }")
    locations = [events.accept(own_daemon, "/slow", body=str(i).encode()).header("location") for i in range(20)]
    own_daemon.kill()
    own_daemon.start()
    for location in locations:
        assert events.until(own_daemon, location)["status"] == "succeeded"


def test_a_topic_reaches_all_who_subscribe_to_what_they_want(daemon):
    daemon.deploy("all", TOPIC_CONSUMER, **{"on.topic": "things"})
    daemon.deploy("images", TOPIC_CONSUMER, **{"on.topic": "things", "on.filter.type": "image.*"})
    credential = key(daemon, "publisher", "topics/things")
    made = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/test", "content-type": "text/plain"}
    for kind in ("image.uploaded", "text.written"):
        answer = daemon.request("/topics/things", "POST", headers={**credential, **made, "ce-type": kind}, body=kind.encode())
        assert answer.status == 202 and len(answer.json["events"]) == 1, answer.text
    assert [line["type"] for line in lines(daemon, "images")] == ["image.uploaded"]
    assert sorted(line["body"] for line in lines(daemon, "all", 2)) == ["image.uploaded", "text.written"]


def test_who_may_publish(daemon):
    daemon.deploy("guarded", TOPIC_CONSUMER, **{"on.topic": "guarded"})
    assert daemon.request("/topics/guarded", "POST", body=b"x").status == 401
    assert daemon.request("/topics/guarded", "POST", headers=key(daemon, "else", "topics/other"), body=b"x").status == 403
    assert daemon.request("/topics/guarded", "POST", headers=key(daemon, "everything"), body=b"x").status == 202
    assert daemon.request("/topics/guarded", "GET", headers=key(daemon, "everything2")).status == 405
    asked = daemon.request("/topics/guarded", "OPTIONS", headers={"webhook-request-origin": "sender.example"})
    assert asked.status == 200 and asked.header("webhook-allowed-origin") == "sender.example"


def test_single_messages_of_a_batch_are_tried_again(daemon):
    daemon.deploy("batch", TOPIC_CONSUMER, **{"on.topic": "batch", "on.batch": "10", "on.batch_wait": "50ms", "on.attempts": "3", "on.backoff": "10ms"})
    credential = key(daemon, "batcher")
    batch = [{"specversion": "1.0", "id": str(i), "source": "/t", "type": "t", "datacontenttype": "text/plain", "data": data}
             for i, data in enumerate(["ok", "fail", "fine"])]
    answer = daemon.request("/topics/batch", "POST", headers={**credential, "content-type": "application/cloudevents-batch+json"},
                            body=json.dumps(batch).encode())
    assert answer.status == 202 and len(answer.json["events"]) == 3, answer.text
    seen = [(line["body"], line["attempts"]) for line in lines(daemon, "batch", 5)]
    assert sorted(seen) == [("fail", 1), ("fail", 2), ("fail", 3), ("fine", 1), ("ok", 1)]


def test_what_is_no_event_is_refused_with_the_reason(daemon):
    daemon.deploy("strict", TOPIC_CONSUMER, **{"on.topic": "strict"})
    credential = key(daemon, "strict")
    answer = daemon.request("/topics/strict", "POST", headers={**credential, "content-type": "application/cloudevents+json"},
                            body=b'{"specversion":"1.0","id":"1","source":"/x"}')
    assert answer.status == 400 and "type" in answer.json["detail"], answer.text


def test_a_schedule_runs_its_function_at_its_times(daemon):
    daemon.deploy("clock", """
        export default { scheduled(controller) { console.log(JSON.stringify({ cron: controller.cron, time: controller.scheduledTime })); } };
    """, **{"on.schedule": "every 1s"})
    ticks = [line["time"] for line in lines(daemon, "clock", 3)]
    assert all(time % 1000 == 0 for time in ticks)
    assert len(set(ticks)) == len(ticks), "never twice"


def test_an_event_waits_for_its_function_to_come_back(daemon):
    daemon.deploy("gone", FAILING, **{"async.attempts": "9", "async.backoff": "50ms", "async.backoff_max": "50ms"})
    location = events.accept(daemon, "/gone").header("location")
    events.until(daemon, location, "failed")
    assert daemon.admin("/v1/functions/gone", "DELETE").status in (200, 204)
    assert events.status(daemon, location)["status"] in ("failed", "queued", "running")
    daemon.deploy("gone", ECHO)
    assert events.until(daemon, location)["status"] == "succeeded"
