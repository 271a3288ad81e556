"""Functions that misbehave: the caller gets a typed answer, and the next request is served."""

import os
import signal
import time

import pytest

from support.daemon import REPOSITORY
from support.processes import eventually, process_table

VICTIMS = REPOSITORY / "tests" / "victims"
SECRETS = ("thrown on purpose", "nobody catches", "nobody handles", "broken in the middle", ".js:", "at Object", "    at ")


def deploy(daemon, victim: str, **settings) -> str:
    daemon.deploy(victim, VICTIMS / f"{victim}.js", **settings)
    return f"/{victim}"


@pytest.mark.parametrize(
    "victim, status, kind",
    [
        ("throws", 500, "urn:mayfly:pool:handler-threw"),
        ("throws-nothing", 500, "urn:mayfly:pool:handler-threw"),
        ("answers-nonsense", 500, "urn:mayfly:pool:handler-threw"),
        ("exits", 502, "urn:mayfly:pool:instance-exited"),
        ("kills-itself", 502, "urn:mayfly:pool:instance-killed"),
        ("segfaults", 502, "urn:mayfly:pool:instance-killed"),
        ("aborts", 502, "urn:mayfly:pool:instance-killed"),
        ("uncaught", 502, "urn:mayfly:pool:uncaught-exception"),
        ("rejects", 502, "urn:mayfly:pool:unhandled-rejection"),
        ("ignores-its-credit", 502, "urn:mayfly:pool:protocol-violation"),
    ],
)
def test_a_failure_is_typed_and_the_next_request_is_served(daemon, victim, status, kind):
    path = deploy(daemon, victim)
    assert daemon.request(path).text == "fine"
    for _ in range(3):
        answer = daemon.request(path + "/bad")
        assert (answer.status, answer.problem) == (status, kind), answer.text
        assert answer.json["status"] == status
        assert answer.json["invocation"] == answer.header("mayfly-invocation")
        assert not any(secret in answer.text for secret in SECRETS), f"too much for the public: {answer.text}"
        assert daemon.request(path).text == "fine"


@pytest.mark.parametrize(
    "victim, detail",
    [("exits", ("exitCode", 7)), ("kills-itself", ("signal", "SIGKILL")), ("segfaults", ("signal", "SIGSEGV")), ("aborts", ("signal", "SIGABRT"))],
)
def test_the_answer_says_how_the_instance_died(daemon, victim, detail):
    answer = daemon.request(deploy(daemon, victim) + "/bad")
    assert answer.json[detail[0]] == detail[1], answer.text


def test_a_function_that_eats_memory_dies_alone(daemon):
    path = deploy(daemon, "eats-memory", memory="64MiB", timeout="30s")
    answer = daemon.request(path + "/bad", timeout=40)
    assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:out-of-memory"), answer.text
    assert daemon.request(path).text == "fine"


@pytest.mark.parametrize("victim", ["loops", "never-answers"])
def test_the_deadline_holds(daemon, victim):
    path = deploy(daemon, victim, timeout="400ms")
    began = time.monotonic()
    answer = daemon.request(path + "/bad")
    took = time.monotonic() - began
    assert answer.status == 504, answer.text
    assert answer.problem == "urn:mayfly:scheduler:deadline-exceeded"
    assert answer.json["limit"] == "400 ms", "the answer names the limit and its value"
    assert 0.35 < took < 2.0, took
    assert daemon.request(path).text == "fine"


def test_an_endless_loop_harms_its_neighbours_only_for_a_moment(daemon):
    """Invocations that share the instance of a loop are answered, with what they asked for or a typed error."""
    daemon.deploy(
        "neighbours",
        """export default { async fetch(request) {
             if (request.url.endsWith("/bad")) for (;;) {}
             await new Promise((resolve) => setTimeout(resolve, 50));
             return new Response("fine");
           } };""",
        timeout="500ms", concurrency="16",
    )
    import threading

    answers = []
    threads = [
        threading.Thread(target=lambda path=path: answers.append((path, daemon.request(path))))
        for path in ["/neighbours"] * 4 + ["/neighbours/bad"] + ["/neighbours"] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    for path, answer in answers:
        if path.endswith("/bad"):
            assert answer.status == 504
        else:
            assert answer.status in (200, 502, 503, 504), answer.text
    assert daemon.request("/neighbours").text == "fine"


@pytest.mark.parametrize("victim", ["breaks-off", "exits-mid-answer"])
def test_an_answer_that_breaks_off_closes_the_connection_visibly(daemon, victim):
    path = deploy(daemon, victim)
    with daemon.wire() as wire:
        wire.get(path + "/bad")
        assert wire.head().status == 200
        rest = wire.rest()
    assert b"first," in rest
    assert b"\r\n0\r\n\r\n" not in rest and not rest.startswith(b"0\r\n"), "the answer looks complete"
    assert daemon.request(path).text == "fine"


def test_an_answer_that_stalls_is_ended_by_the_deadline(daemon):
    path = deploy(daemon, "stalls-mid-answer", timeout="500ms")
    with daemon.wire() as wire:
        began = time.monotonic()
        wire.get(path + "/bad")
        assert wire.head().status == 200
        rest = wire.rest()
        assert time.monotonic() - began < 3
    assert b"0\r\n\r\n" not in rest
    assert daemon.request(path).text == "fine"


def test_the_admin_plane_shows_the_stack_and_the_last_lines(daemon):
    daemon.deploy(
        "explained",
        'function inner() { throw new TypeError("for the developer"); }\n'
        'export default { fetch() { console.log("just before"); inner(); } };\n',
    )
    answer = daemon.admin("/v1/functions/explained/invocations", "POST", json={})
    assert answer.status == 500, answer.text
    assert answer.problem == "urn:mayfly:pool:handler-threw"
    assert "for the developer" in answer.text
    frames = answer.json["stack"].splitlines()[1:]
    assert frames == ["    at inner (index.js:1:26)", "    at Object.fetch (index.js:2:56)"], "by the names that it was deployed with"
    assert any("just before" in line for line in answer.json["logs"]), answer.text


def test_describe_keeps_the_last_failures_with_their_reasons(daemon):
    path = deploy(daemon, "exits")
    daemon.request(path + "/bad")
    failures = eventually(lambda: daemon.describe("exits")["live"].get("failures"), what="a failure on record")
    assert any("instance-exited" in failure["type"] for failure in failures), failures


def test_describe_shows_limits_and_the_last_words_of_failures_to_people(daemon):
    daemon.deploy("told", """export default { fetch() {
      for (let i = 1; i < 6; ++i) console.log(`step ${i} ` + "ä".repeat(i === 5 ? 200 : 1));
      throw new Error("on purpose");
    } };""", memory="96MiB", timeout="4s", processes="50", log_rate="3KiB")
    assert daemon.request("/told").status == 500
    eventually(lambda: daemon.describe("told")["live"].get("failures"), what="a failure on record")
    words = daemon.cli("describe", "told").stdout
    limits = {tuple(line.split()[:2]) for line in words[words.index("Limits"):words.index("Configuration")].splitlines()}
    assert {("memory", "96MiB"), ("timeout", "4s"), ("processes", "50"), ("open_files", "1024"), ("tmp", "64MiB"), ("cpu", "-"),
            ("max_request", "32MiB"), ("max_response", "1GiB"), ("log_rate", "3KiB")} <= limits, words
    assert "96MiB" not in words[words.index("Configuration"):], "said once"
    assert "    | step 4 ä\n" in words and "step 2" not in words, "the last three lines"
    long = next(line for line in words.splitlines() if "| step 5" in line)
    assert long.endswith("ä…") and len(long) < 80


def test_a_template_that_dies_is_built_again(daemon):
    path = deploy(daemon, "throws", max_instances="2")
    assert daemon.request(path).text == "fine"
    for pid in template_pids(daemon):
        os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        assert daemon.request(path).status in (200, 502, 503)
    assert daemon.request(path).text == "fine"


def runtime_pids(daemon) -> list[int]:
    """Children of the daemon."""
    return [pid for pid, (parent, state) in process_table().items() if parent == daemon.process.pid and state != "Z"]


def template_pids(daemon) -> list[int]:
    """Children of the runtime process."""
    table = process_table()
    runtimes = runtime_pids(daemon)
    return [pid for pid, (parent, state) in table.items() if parent in runtimes and state != "Z"]


def test_a_runtime_process_that_dies_is_started_again(daemon):
    path = deploy(daemon, "throws")
    assert daemon.request(path).text == "fine"
    runtimes = runtime_pids(daemon)
    assert runtimes
    for pid in runtimes:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: daemon.request(path).status == 200, what="the function to be served again")
    daemon.deploy("after-death", "export default { fetch: () => new Response('deployed') };")
    assert daemon.request("/after-death").text == "deployed"


def test_a_request_right_after_the_runtime_processs_death_waits_for_the_next(daemon):
    """Its fork was asked of the dead process once, and its template counted as one that cannot be built."""
    daemon.deploy("at-once", "export default { fetch: () => new Response('served') };")
    for _ in range(8):
        assert daemon.request("/at-once").text == "served"
        # No template and no instance that could die with the runtime process: only the fork is at stake.
        daemon.admin("/v1/functions/at-once/evict?what=template", method="POST")
        os.kill(runtime_pids(daemon)[0], signal.SIGKILL)
        answer = daemon.request("/at-once")
        assert answer.text == "served", answer.text


def test_code_that_cannot_be_forked_is_served_all_the_same(daemon):
    daemon.deploy("holds-a-socket", VICTIMS / "holds-a-socket.js", concurrency="1", max_instances="3")
    answers = [daemon.request("/holds-a-socket") for _ in range(3)]
    assert all(answer.status == 200 for answer in answers)
    described = str(daemon.describe("holds-a-socket"))
    assert "socket" in described.lower(), described


def test_a_deploy_that_fails_while_it_loads_says_what_was_printed(daemon):
    answer = daemon.put("chatty", "print('half way')\nraise ValueError('no')\n", "chatty.py")
    assert answer.status == 422 and answer.json["logs"] == ["half way"], answer.text
    answer = daemon.put("chatty", "console.log('other'); throw new Error('no');", "chatty.js")
    assert answer.status == 422 and answer.json["logs"] == ["other"], answer.text


def test_code_that_cannot_be_loaded_any_more_says_why_to_who_looks(daemon):
    """What it loads with has changed since its deployment."""
    daemon.admin("/v1/secrets/AT_LOAD", "PUT", body=b"good")
    code = "if (process.env.AT_LOAD === 'bad') throw new Error('AT_LOAD is bad');\nexport default { fetch: () => new Response('fine') };"
    daemon.deploy("depends", code, secrets="AT_LOAD")
    assert daemon.request("/depends").text == "fine"
    daemon.admin("/v1/secrets/AT_LOAD", "PUT", body=b"bad")
    daemon.admin("/v1/functions/depends/evict?what=template", method="POST")
    answer = daemon.request("/depends")
    assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:template-failed"), answer.text
    eventually(lambda: daemon.describe("depends")["live"]["failures"], what="the failure")
    live = daemon.describe("depends")["live"]
    assert "AT_LOAD is bad" in live["failures"][0]["message"] and live["failures"][0]["type"] == "pool:template-failed"
    assert any("AT_LOAD is bad" in each.get("reason", "") for each in live["templates"]), live["templates"]
    eventually(lambda: "AT_LOAD is bad" in daemon.cli("logs", "depends").stdout, what="the reason in the log")
