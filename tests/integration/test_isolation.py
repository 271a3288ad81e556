"""isolation = "request": every invocation meets memory as the template left it."""

import pytest

from support.load import Load
from support.processes import eventually

COUNTERS = {
    "native": ("count.cpp", """#include <mayfly.h>
        #include <unistd.h>
        static int count = 0;
        mayfly::Response handle(const mayfly::Request& request) {
          if (request.path() == "/log") mayfly::log("seen by nobody else");
          return std::to_string(++count) + " " + std::to_string(getpid());
        }
        MAYFLY_HANDLER(handle)"""),
    "node": ("count.js", """let count = 0;
        export default { fetch(request) {
          if (request.url.endsWith("/log")) console.log("seen by nobody else");
          return new Response(`${++count} ${process.pid}`);
        } };"""),
}


@pytest.mark.parametrize("runtime", COUNTERS)
def test_every_request_meets_fresh_memory_in_a_process_of_its_own(daemon, runtime):
    file, source = COUNTERS[runtime]
    daemon.deploy(f"fresh-{runtime}", source, file=file, isolation="request")
    answers = [daemon.request(f"/fresh-{runtime}").text.split() for _ in range(20)]
    assert {count for count, _ in answers} == {"1"}
    assert len({pid for _, pid in answers}) == 20
    daemon.deploy(f"reused-{runtime}", source, file=file)
    assert [daemon.request(f"/reused-{runtime}").text.split()[0] for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize("runtime", COUNTERS)
def test_what_it_logged_is_there_though_it_has_left(daemon, runtime):
    file, source = COUNTERS[runtime]
    daemon.deploy(f"logs-{runtime}", source, file=file, isolation="request")
    for _ in range(5):
        assert daemon.request(f"/logs-{runtime}/log").status == 200
    eventually(lambda: daemon.cli("logs", f"logs-{runtime}").stdout.count("seen by nobody else") == 5, what="five lines")


LARGE = {
    "native": ("large.cpp", """#include <mayfly.h>
        mayfly::Response handle(const mayfly::Request&) { return {200, std::string(3'000'000, 'x')}; }
        MAYFLY_HANDLER(handle)"""),
    "node": ("large.js", "export default { fetch: () => new Response('x'.repeat(3_000_000)) };"),
    "python": ("large.py", "def handler(event, context):\n    return {'statusCode': 200, 'body': 'x' * 3_000_000}\n"),
}


@pytest.mark.parametrize("runtime", LARGE)
def test_a_large_answer_is_sent_to_its_end_before_the_instance_leaves(daemon, runtime):
    file, source = LARGE[runtime]
    daemon.deploy(f"large-{runtime}", source, file=file, isolation="request")
    for _ in range(10):
        with daemon.wire(receive_buffer=8192) as wire:
            wire.get(f"/large-{runtime}")
            answer = wire.answer()
            assert (answer.status, len(answer.body)) == (200, 3_000_000)


def test_many_at_once_are_all_answered_and_few_processes_stay(daemon):
    file, source = COUNTERS["native"]
    daemon.deploy("burst", source, file=file, isolation="request", max_instances="8")
    with Load(daemon.url + "/burst", threads=8, classify=lambda answer: (answer.status, answer.text.split()[0])) as load:
        load.wait_for(500)
    assert set(load.outcomes) == {(200, "1")}, load.outcomes
    eventually(lambda: daemon.describe("burst")["live"]["instances"] <= 4, what="standby instances alone")


def test_a_crash_or_a_loop_costs_nobody_else_anything(daemon):
    daemon.deploy("dies", """#include <mayfly.h>
        mayfly::Response handle(const mayfly::Request& request) {
          if (request.path() == "/crash") std::abort();
          while (request.path() == "/loop") { asm(""); }
          return "fine";
        }
        MAYFLY_HANDLER(handle)""", file="dies.cpp", isolation="request", timeout="300ms")
    for path, status in [("/crash", 502), ("", 200), ("/loop", 504), ("", 200), ("/crash", 502), ("", 200)]:
        assert daemon.request("/dies" + path).status == status
