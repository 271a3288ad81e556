"""Events by the admin API and the command line, with functions that run: what was accepted, what became of it."""

import json
import re
import time

import pytest

ECHO = """
export default {
  async fetch(request) {
    console.log("attempt of echo");
    return new Response(await request.arrayBuffer(), {status: 201, headers: {"content-type": "application/x-echo"}});
  },
};
"""
MOODY = 'export default { fetch() { throw new Error("no such mood"); } };\n'
CONSUMER = """
export default {
  async queue(batch) {
    for (const message of batch.messages) console.log("got " + JSON.stringify(message.body));
  },
  async scheduled(event) { console.log("scheduled " + event.cron); },
};
"""


def ids(text: str) -> list[str]:
    return re.findall(r"^[0-9a-f]{32}$", text, re.M)


def invocation(daemon, id: str, *wanted: str) -> dict:
    """It, once it is in one of these states."""
    deadline = time.monotonic() + 30
    while True:
        now = daemon.admin(f"/v1/invocations/{id}").json
        if now["status"] in (wanted or ("succeeded", "dead", "cancelled")):
            return now
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


def test_an_invocation_that_nobody_waits_for(daemon):
    daemon.deploy("echo", ECHO)
    body = bytes(range(256))
    answer = daemon.admin(
        "/v1/functions/echo/invocations?method=POST&path=/", "POST", headers={"prefer": "respond-async"}, body=body)
    assert answer.status == 202, answer.text
    id = answer.json["invocation"]
    assert invocation(daemon, id)["history"][0]["version"] == "echo@1"
    result = daemon.admin(f"/v1/invocations/{id}/result")
    assert (result.status, result.header("mayfly-status"), result.body) == (200, "201", body)
    assert result.header("content-type") == "application/x-echo"
    assert daemon.admin(f"/v1/invocations/{id}/event").body == body
    log = daemon.cli("logs", "echo", "--invocation", id).stdout
    assert log.count("attempt of echo") == 1, "its log goes by the same name"
    assert f"mayfly logs echo --invocation {id}" in daemon.cli("invocation", "get", id).stdout


def test_the_command_line_waits_for_the_answer(daemon):
    daemon.deploy("echo", ECHO)
    once = daemon.cli("invoke", "echo", "hello", "--async", "--wait", "--idempotency-key", "once")
    assert once.stdout == "hello"
    assert "201" in once.stderr
    again = daemon.cli("invoke", "echo", "hello", "--async", "--idempotency-key", "once")
    [id] = ids(again.stdout)
    assert daemon.cli("invocation", "result", id, "--quiet").stdout == "hello"
    other = daemon.cli("invoke", "echo", "other", "--async", "--idempotency-key", "once", check=False)
    assert other.returncode == 1 and "Idempotency-Key" in other.stderr
    assert id in daemon.cli("invocation", "list", "echo").stdout
    assert json.loads(daemon.cli("invocation", "list", "--json").stdout)["invocations"]


def test_dead_letters_are_shown_redriven_and_forgotten(daemon, tmp_path):
    (tmp_path / "mayfly.toml").write_text('[functions.moody]\nsource = "moody.js"\nasync = {attempts = 1}\n')
    (tmp_path / "moody.js").write_text(MOODY)
    daemon.cli("deploy", tmp_path)
    dead = daemon.cli("invoke", "moody", '{"file": "x"}', "--async", "--wait", check=False)
    assert dead.returncode == 1 and "no such mood" in dead.stderr, dead.stderr
    assert "moody" in daemon.cli("dlq", "list").stdout
    listed = daemon.cli("dlq", "list", "moody").stdout
    [id] = re.findall(r"^[0-9a-f]{32}", listed, re.M)
    assert "handler-threw" in listed
    shown = daemon.cli("dlq", "show", id).stdout
    assert "no such mood" in shown and '{"file": "x"}' in shown
    (tmp_path / "moody.js").write_text(ECHO)
    daemon.cli("deploy", tmp_path)
    assert daemon.cli("dlq", "redrive", "moody").stdout == "1 is attempted again\n"
    assert daemon.cli("invocation", "result", id, "--wait").stdout == '{"file": "x"}'
    assert daemon.cli("dlq", "list").stdout == "no dead letters\n"
    page = daemon.admin("/metrics").text
    assert 'mayfly_queue_dead_letters{queue="function:moody",function="moody"} 0' in page
    assert 'mayfly_queue_deliveries_total{queue="function:moody",function="moody",outcome="succeeded"} 1' in page


def test_a_pause_outlives_a_restart(start_daemon):
    daemon = start_daemon()
    daemon.deploy("echo", ECHO)
    invocation(daemon, ids(daemon.cli("invoke", "echo", "first", "--async").stdout)[0])  # its queue is there then
    assert "paused" in daemon.cli("queue", "pause", "echo").stdout
    [id] = ids(daemon.cli("invoke", "echo", "later", "--async").stdout)
    daemon.restart()
    assert invocation(daemon, id, "queued")["attempts"] == 0
    assert "paused" in daemon.cli("queue", "list", "echo").stdout
    daemon.cli("queue", "resume", "echo")
    assert daemon.cli("invocation", "result", id, "--wait").stdout == "later"


def test_topics_and_schedules(daemon, tmp_path):
    (tmp_path / "mayfly.toml").write_text("""
[functions.keeper]
source = "keeper.js"
[[functions.keeper.on]]
topic = "orders"
[[functions.keeper.on]]
schedule = "0 3 1 1 *"
timezone = "Europe/Berlin"
""")
    (tmp_path / "keeper.js").write_text(CONSUMER)
    daemon.cli("deploy", tmp_path)
    [id] = ids(daemon.cli("topic", "publish", "orders", '{"id": 7}', "--type", "order.placed").stdout)
    assert invocation(daemon, id)["queue"] == "orders>keeper"
    assert 'got {"id":7}' in daemon.cli("logs", "keeper").stdout
    assert "orders/keeper" in daemon.cli("topic", "list").stdout
    assert "0 3 1 1 *" in daemon.cli("schedule", "list").stdout
    [run] = ids(daemon.cli("schedule", "run", "keeper").stdout)
    assert invocation(daemon, run)["status"] == "succeeded"
    assert "paused" in daemon.cli("schedule", "pause", "keeper").stdout
    assert "paused" in daemon.cli("schedule", "list").stdout
    assert "goes on" in daemon.cli("schedule", "resume", "keeper").stdout


def test_an_event_of_several_subscriptions_is_found_by_its_id(daemon):
    for name in ("mail", "audit"):
        daemon.deploy(name, CONSUMER, **{"on.topic": "sales"})
    [id] = ids(daemon.cli("topic", "publish", "sales", '{"id": 7}').stdout)
    found = invocation(daemon, id)
    assert sorted(each["queue"] for each in found["deliveries"]) == ["sales>audit", "sales>mail"]
    assert {each["status"] for each in found["deliveries"]} == {"succeeded"}
    public = daemon.request(f"/_mayfly/invocations/{id}").json
    assert (public["status"], len(public["deliveries"])) == ("succeeded", 2)
    for each in found["deliveries"]:
        assert each["invocation"] in daemon.cli("invocation", "get", id).stdout
        assert daemon.admin(f"/v1/invocations/{each['invocation']}").json["queue"] == each["queue"]


def test_a_queue_whose_function_is_gone_is_named_and_dropped(daemon):
    daemon.deploy("leaver", CONSUMER, **{"on.topic": "sales"})
    daemon.admin("/v1/functions/leaver", "DELETE")
    daemon.restart()
    deadline = time.monotonic() + 20
    while not re.search("sales/leaver +no function", daemon.cli("queue", "list").stdout):
        assert time.monotonic() < deadline, daemon.cli("queue", "list").stdout
    daemon.cli("queue", "delete", "sales/leaver", "--yes")
    assert "sales/leaver" not in daemon.cli("queue", "list", "--all").stdout
    busy = daemon.cli("queue", "delete", "echo", "--yes", check=False)
    assert busy.returncode == 1 and "the function 'echo' is there" in busy.stderr


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["dlq", "list", "eco"], "did you mean 'function:echo'?"),
        (["invoke", "eco", "--async"], "did you mean 'echo'?"),
        (["topic", "pubish", "x"], "did you mean 'publish'?"),
        (["invocation", "get", "7"], "32 hexadecimal digits"),
        (["invocation", "list", "--state", "ded"], "did you mean 'dead'?"),
    ],
)
def test_what_was_perhaps_meant(daemon, arguments, said):
    daemon.deploy("echo", ECHO)
    done = daemon.cli(*arguments, check=False)
    assert done.returncode != 0
    assert said in done.stderr, done.stderr
