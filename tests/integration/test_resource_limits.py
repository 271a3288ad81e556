"""Functions that take more than their share: ended, named with their limit, and nobody else is harmed."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import processes
from support.daemon import BINARY
from support.load import Load
from support.processes import eventually

NODE_BOMB = """
const kept = [];
export default { async fetch(request) {
  const path = new URL(request.url).pathname;
  if (path === "/bad") for (;;) kept.push(Buffer.alloc(4 << 20, 1));
  if (path === "/leak") kept.push(Buffer.alloc(10 << 20, 1));
  if (path === "/slow") await new Promise((resolve) => setTimeout(resolve, 2500));
  return new Response(`fine ${process.pid}`);
} };
"""

PYTHON_BOMB = """
import os, time
kept = []
def handler(event, context):
    path = event["rawPath"]
    while path == "/bad":
        kept.append(b"x" * (4 << 20))
    if path == "/leak":
        kept.append(b"x" * (10 << 20))
    if path == "/slow":
        time.sleep(2.5)
    return {"statusCode": 200, "body": f"fine {os.getpid()}"}
"""

NATIVE_BOMB = """#include <mayfly.h>
#include <unistd.h>
#include <string>
#include <vector>
static std::vector<std::string> kept;
mayfly::Response handle(const mayfly::Request& request) {
  const std::string path(request.path());
  while (path == "/bad") kept.emplace_back(4U << 20U, 'x');
  if (path == "/leak") kept.emplace_back(10U << 20U, 'x');
  if (path == "/slow") usleep(2500000);
  return {200, "fine " + std::to_string(getpid())};
}
MAYFLY_HANDLER(handle)
"""

# Each request is a process of its own: what it leaks is gone with it.
EXEC_BOMB = """#!/usr/bin/python3
import os, time
path = os.environ["PATH_INFO"]
kept = []
while path == "/bad":
    kept.append(b"x" * (4 << 20))
if path == "/slow":
    time.sleep(2.5)
print("content-type: text/plain\\n")
print(f"fine {os.getpid()}", end="")
"""

BOMBS = {"node": (NODE_BOMB, "index.js"), "python": (PYTHON_BOMB, "main.py"), "native": (NATIVE_BOMB, "bomb.cpp"),
         "exec": (EXEC_BOMB, "bomb.sh")}
OUT_OF_MEMORY = "urn:mayfly:pool:out-of-memory"


@pytest.fixture(scope="module")
def neighbour(daemon):
    daemon.deploy("neighbour", 'export default { fetch: () => new Response("unharmed") };')
    assert daemon.request("/neighbour").text == "unharmed"
    return "/neighbour"


def all_well(daemon, path):
    return Load(daemon.url + path, threads=1, classify=lambda answer: (answer.status, answer.text))


@pytest.mark.parametrize("runtime", BOMBS)
def test_a_memory_bomb_dies_alone_and_names_the_limit(daemon, neighbour, runtime):
    code, file = BOMBS[runtime]
    name = f"bomb-{runtime}"
    daemon.deploy(name, code, file=file, memory="64MiB", concurrency="1", max_instances="2", timeout="30s")
    assert daemon.request(f"/{name}").text.startswith("fine")
    with all_well(daemon, neighbour) as load, daemon.wire() as sibling:
        sibling.get(f"/{name}/slow")
        answer = daemon.request(f"/{name}/bad", timeout=40)
        assert (answer.status, answer.problem) == (502, OUT_OF_MEMORY), answer.text
        assert answer.json["limit"] == "64MiB" and "memory limit 64 MiB" in answer.json["detail"]
        slow = sibling.answer()
        assert slow.status == 200 and slow.text.startswith("fine"), f"a sibling was harmed: {slow.text}"
    assert set(load.outcomes) == {(200, "unharmed")}, load.outcomes
    assert daemon.request(f"/{name}").text.startswith("fine")
    failure = daemon.describe(name)["live"]["failures"][0]
    assert "memory limit 64 MiB" in failure["message"], failure


def test_a_deploy_that_takes_too_much_memory_while_it_loads_is_told_the_limit(daemon):
    daemon.deploy("light", "def handler(event, context):\n    return 'light'", file="light.py", memory="32MiB", tmp="8MiB")
    if "memory_limit_bytes" not in used(daemon, "light"):
        pytest.skip("no control group limits memory")
    code = "kept = [b'x' * (4 << 20) for _ in range(75)]\ndef handler(event, context):\n    return 'heavy'"
    answer = daemon.put("heavy", code, "heavy.py", memory="32MiB", tmp="8MiB")
    assert answer.status == 422 and answer.json["limit"] == "32MiB", answer.text
    assert "memory limit 32 MiB: loading the code took more than" in answer.json["detail"], answer.text


@pytest.mark.parametrize("runtime", ["node", "python", "native"])
def test_a_slow_leak_is_found_after_some_requests(daemon, runtime):
    code, file = BOMBS[runtime]
    name = f"leak-{runtime}"
    daemon.deploy(name, code, file=file, memory="64MiB", concurrency="1", max_instances="1")
    fine = 0
    answer = daemon.request(f"/{name}/leak")
    while answer.status == 200 and fine < 1000:
        fine += 1
        # Between two looks at it an instance may take more: not each request is the last by its own memory.
        answer = daemon.request(f"/{name}/leak")
    assert fine >= 5, "what the limit allows was not let be"
    assert fine < 1000
    failure = eventually(lambda: daemon.describe(name)["live"]["failures"], what="the failure")[0]
    assert "memory limit 64 MiB" in failure["message"], failure


SPIN = """
export default { fetch(request) {
  const until = Date.now() + 1500;
  if (request.url.endsWith("/spin")) while (Date.now() < until);
  return new Response("done");
} };
"""


def used(daemon, name: str) -> dict:
    return daemon.describe(name)["live"]["templates"][0]["limits"]


def test_half_a_core_is_half_a_core(daemon):
    daemon.deploy("halved", SPIN, cpu="0.5")
    daemon.deploy("whole", SPIN)
    for name in ("halved", "whole"):
        assert daemon.request(f"/{name}").text == "done"
    if "throttled" not in used(daemon, "halved"):
        pytest.skip("this host limits no CPU time")
    before, began = used(daemon, "halved"), time.monotonic()
    assert daemon.request("/halved/spin").text == "done"
    took, after = time.monotonic() - began, used(daemon, "halved")
    assert after["throttled"] > before["throttled"]
    assert after["cpu_s"] - before["cpu_s"] <= 0.5 * took + 0.1, (before, after, took)
    assert daemon.request("/whole/spin").text == "done"
    assert used(daemon, "whole")["throttled"] == 0


PYTHON_FORKS = """
import os, time
def handler(event, context):
    if event["rawPath"] == "/bad":
        while True:
            try:
                os.fork()
            except OSError:
                pass
    return {"statusCode": 200, "body": "fine"}
"""

# Its children leave the family: sessions of their own, and no parent.
EXEC_FORKS = """#!/usr/bin/python3
import os, time
if os.environ["PATH_INFO"] == "/bad":
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            pass
print("content-type: text/plain\\n")
print("fine", end="")
"""

NODE_FORKS = """
import { spawn } from "node:child_process";
export default { async fetch(request) {
  if (new URL(request.url).pathname !== "/bad") return new Response("fine");
  for (let i = 0; i < 100; ++i) spawn("sleep", ["60"], { detached: true }).on("error", () => {});
  await new Promise((resolve) => setTimeout(resolve, 20_000));
} };
"""


@pytest.mark.parametrize("name, code, file", [("forks-python", PYTHON_FORKS, "main.py"), ("forks-exec", EXEC_FORKS, "forks.sh"),
                                              ("forks-node", NODE_FORKS, "index.js")])
def test_a_fork_bomb_is_ended_with_all_it_made(daemon, neighbour, name, code, file):
    daemon.deploy(name, code, file=file, processes="32", timeout="30s", max_instances="2")
    assert daemon.request(f"/{name}").text == "fine"
    with all_well(daemon, neighbour) as load:
        answer = daemon.request(f"/{name}/bad", timeout=40)
        assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:too-many-processes"), answer.text
        assert answer.json["limit"] == "32" and "process limit 32" in answer.json["detail"]
    assert set(load.outcomes) == {(200, "unharmed")}, load.outcomes
    assert daemon.request(f"/{name}").text == "fine"
    eventually(lambda: len(daemon.children()) < 40, what="what the bomb made to be gone")
    assert daemon.request(f"/{name}").text == "fine"


@pytest.mark.parametrize("name, code, file", [("late-python", PYTHON_FORKS, "main.py"), ("late-exec", EXEC_FORKS, "forks.sh")])
def test_a_fork_bomb_that_may_have_hundreds_of_processes_is_named(daemon, name, code, file):
    # As many as a function may have by default: it takes a while until they have ended.
    daemon.deploy(name, code, file=file, timeout="5s", max_instances="1")
    assert daemon.request(f"/{name}").text == "fine"
    answer = daemon.request(f"/{name}/bad", timeout=60)
    assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:too-many-processes"), answer.text
    assert "process limit 256" in answer.json["detail"]
    eventually(lambda: len(daemon.children()) < 40, timeout=60, what="what the bombs made to be gone")


EATS = """
import time
kept = []
def handler(event, context):
    if event["rawPath"] == "/bad":
        kept.append(b"x" * (96 << 20))
        time.sleep(60)
    return {"statusCode": 200, "body": "fine"}
"""


def test_one_fork_bomb_after_the_other_keeps_no_limit_of_others_from_being_looked_after(daemon):
    daemon.deploy("bomb-again", EXEC_FORKS, file="forks.sh", processes="128", timeout="30s", max_instances="2")
    daemon.deploy("eats", EATS, file="main.py", memory="64MiB", timeout="30s", concurrency="1")
    assert daemon.request("/eats").text == "fine"
    with Load(daemon.url + "/bomb-again/bad", threads=1, classify=lambda answer: (answer.status, answer.problem), timeout=40) as load:
        load.wait_for(1, timeout=40)
        for _ in range(3):
            answer = daemon.request("/eats/bad", timeout=40)
            assert (answer.status, answer.problem, answer.json["limit"]) == (502, OUT_OF_MEMORY, "64MiB"), answer.text
    assert set(load.outcomes) == {(502, "urn:mayfly:pool:too-many-processes")}, load.outcomes
    assert used(daemon, "eats")["held_back"], "others go before what is ended again and again"
    assert daemon.request("/eats").text == "fine", "it is served even so"


FILLS = """
import os, threading, time
def handler(event, context):
    path = event["rawPath"]
    if path == "/at-limit":
        threads = [threading.Thread(target=time.sleep, args=(1.5,)) for _ in range(19)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    while path == "/beyond":
        try:
            if os.fork() == 0: time.sleep(60)
        except OSError:
            pass
    return {"statusCode": 200, "body": str(os.getpid())}
"""


def test_an_instance_at_its_process_limit_does_not_keep_others_from_starting(daemon):
    daemon.deploy("fills", FILLS, file="main.py", processes="20", timeout="20s", max_instances="8")
    with ThreadPoolExecutor() as pool:
        full = pool.submit(daemon.request, "/fills/at-limit", timeout=30)
        eventually(lambda: used(daemon, "fills").get("processes", 99) >= 20, what="an instance with all its threads")
        others = {daemon.request("/fills").text for _ in range(3)}
        assert not full.done()
        assert full.result().status == 200
        assert full.result().text not in others


def test_an_instance_that_takes_the_room_of_all_does_not_keep_others_from_starting(daemon):
    daemon.deploy("fills-all", FILLS, file="main.py", processes="8", timeout="20s", max_instances="16", isolation="request")
    assert daemon.request("/fills-all").status == 200
    with Load(daemon.url + "/fills-all", threads=4, classify=lambda answer: (answer.status, "")) as load:
        for _ in range(3):
            answer = daemon.request("/fills-all/beyond", timeout=30)
            assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:too-many-processes"), answer.text
    assert set(load.outcomes) == {(200, "")}, load.outcomes


HEAP = """
import v8 from "node:v8";
export const handler = async (event, context) => {
  if (event.rawPath === "/bad") for (const kept = []; ; ) kept.push({ text: "x".repeat(10), more: [kept.length] });
  if (event.rawPath === "/churn") {
    let kept = [];  // 600 MB in all, 16 of them at once
    for (let i = 0; i < 300; ++i) kept = [...kept.slice(-8), new Array(250_000).fill(i)];
    return String(kept.length);
  }
  return { limit: v8.getHeapStatistics().heap_size_limit, memory: context.memoryLimitInMB, used: v8.getHeapStatistics().used_heap_size };
};
"""


def test_nodes_heap_has_the_limit_of_its_instance(daemon):
    for name, mebibytes in (("heap", 64), ("heap-large", 256)):
        daemon.deploy(name, HEAP, memory=f"{mebibytes}MiB", timeout="30s")
        given = daemon.request(f"/{name}").json
        assert given["memory"] == str(mebibytes)
        young = 48 << 20  # V8 counts its young generation, of which it seldom needs all, beside the old one
        assert 0.8 * mebibytes < (given["limit"] - young) / 2**20 < mebibytes + 40, given
    assert daemon.request("/heap/churn", timeout=40).text == "9", "what is garbage does not count"
    answer = daemon.request("/heap/bad", timeout=40)
    assert (answer.status, answer.problem, answer.json["limit"]) == (502, OUT_OF_MEMORY, "64MiB"), answer.text
    assert answer.json["detail"].startswith("memory limit 64 MiB"), answer.text
    assert daemon.request("/heap").status == 200


GREEDY = """
import fs from "node:fs";
export default { fetch(request) {
  const held = [];
  try {
    if (request.url.endsWith("/files")) for (;;) held.push(fs.openSync("/dev/null"));
    if (request.url.endsWith("/tmp")) for (let i = 0; ; ++i) fs.writeFileSync("/tmp/part" + i, "x".repeat(100_000));
    return new Response("fine");
  } catch (error) {
    for (const one of held) fs.closeSync(one);
    return new Response(error.code + " " + held.length);
  }
} };
"""


def test_files_and_the_own_tmp_are_limited(daemon, neighbour):
    daemon.deploy("greedy", GREEDY, open_files="200", tmp="1MiB")
    code, held = daemon.request("/greedy/files").text.split()
    assert code == "EMFILE" and 100 < int(held) < 200
    if daemon.request("/greedy/tmp").text.split()[0] != "ENOSPC":
        assert "no namespaces" in daemon.last_words()
    assert daemon.request("/greedy").text == "fine"
    assert daemon.request(neighbour).text == "unharmed"


def test_a_flood_of_log_names_the_limit(daemon):
    daemon.deploy(
        "floods", 'export default { fetch() { for (let i = 0; i < 4000; ++i) console.log("x".repeat(100)); return new Response("done"); } };',
        log_rate="1KiB",
    )
    assert daemon.request("/floods").text == "done"
    eventually(lambda: "dropped: log limit 1 KiB a second" in daemon.cli("logs", "floods").stdout, what="the note")


def test_without_control_groups_limits_hold_as_far_as_they_can(start_daemon):
    daemon = start_daemon("--cgroups", "off")
    assert "no control group limits memory" in daemon.last_words()
    code, file = BOMBS["node"]
    daemon.deploy("bomb", code, file=file, memory="64MiB", timeout="30s")
    answer = daemon.request("/bomb/bad", timeout=40)
    assert (answer.status, answer.problem, answer.json["limit"]) == (502, OUT_OF_MEMORY, "64MiB"), answer.text
    assert daemon.request("/bomb").text.startswith("fine")
    assert "memory_limit_bytes" not in used(daemon, "bomb")


BEHIND_AN_ANSWER = """
import mmap, os, threading, time

def take():
    global kept
    kept = [b"x" * (4 << 20) for _ in range(40)]
    time.sleep(20)

def copies():
    memory = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE)
    memory.write(b"x" * (40 << 20))
    for _ in range(4):
        if os.fork() == 0:
            memory.seek(0)
            memory.write(b"y" * (40 << 20))
            time.sleep(20)
    time.sleep(20)

def handler(event, context):
    what = event["rawPath"].rpartition("/")[2]
    if what == "later":
        threading.Thread(target=take, daemon=True).start()
    elif what == "copies":
        copies()
    return f"fine {os.getpid()}"
"""


def test_without_control_groups_no_memory_is_taken_unseen(start_daemon):
    daemon = start_daemon("--cgroups", "off")
    daemon.deploy("hides", BEHIND_AN_ANSWER, file="hides.py", memory="64MiB", timeout="15s", max_instances="1")
    answer = daemon.request("/hides/copies", timeout=30)
    assert (answer.status, answer.problem) == (502, OUT_OF_MEMORY), answer.text
    assert daemon.request("/hides/later").text.startswith("fine")
    eventually(lambda: len(daemon.describe("hides")["live"]["failures"]) == 2, what="the end of who takes it later")
    assert "memory limit 64 MiB" in daemon.describe("hides")["live"]["failures"][0]["message"]
    code = "kept = [b'x' * (4 << 20) for _ in range(40)]\nimport time\ntime.sleep(15)\ndef handler(event, context): pass"
    answer = daemon.put("loads", code, "loads.py", memory="64MiB")
    assert answer.status == 422 and "memory limit 64 MiB" in answer.json["detail"], answer.text


LIMITS = ["memory-limit", "cpu-limit", "process-limit"]


def test_limits_that_do_not_hold_here_are_said_everywhere(start_daemon):
    daemon = start_daemon("--cgroups", "off")
    daemon.deploy("hello", 'export default { fetch: () => new Response("x") };')
    limits = daemon.admin("/v1/status").json["limits"]
    assert [(limit["name"], limit["there"]) for limit in limits] == [(name, False) for name in LIMITS]
    assert all("control groups are not used" in limit["reason"] for limit in limits)
    described = daemon.cli("describe", "hello").stdout
    found = [(one["what"], one["found"]) for one in json.loads(daemon.cli("doctor", "--json").stdout)["findings"]]
    for name in LIMITS:
        assert f"Limits: no {name}: control groups are not used" in described
        assert ("daemon: limits", f"no {name}") in found
        assert any(what == f"limits: {name}" for what, _ in found), "of a daemon that would be started here"


def test_a_required_limit_that_is_missing_keeps_the_daemon_from_starting(tmp_path):
    def serve(*options):
        return subprocess.run([BINARY, "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                               *options], capture_output=True, text=True, timeout=30)

    done = serve("--cgroups", "off", "--require", "seccomp,process-limit")
    assert done.returncode == 1
    assert "--require process-limit: control groups are not used" in done.stderr


def test_required_limits_that_are_there_let_it_start(start_daemon):
    here = {limit["name"] for limit in start_daemon().admin("/v1/status").json["limits"] if limit["there"]}
    if not here:
        pytest.skip("this host has no control groups for us")
    daemon = start_daemon("--require", ",".join(here))
    daemon.deploy("hello", 'export default { fetch: () => new Response("x") };')
    assert "memory-limit" not in here or "no memory-limit" not in daemon.cli("describe", "hello").stdout


def test_groups_are_gone_with_their_daemon(start_daemon):
    daemon = start_daemon()
    daemon.deploy("grouped", 'export default { fetch: () => new Response("x") };')
    assert daemon.request("/grouped").text == "x"
    pid = processes.descendants(daemon.process.pid)[-1]
    groups = [line.split(":", 2)[2].strip() for line in open(f"/proc/{pid}/cgroup") if "mayfly-" in line]
    if not groups:
        pytest.skip("this host has no control groups for us")
    name = groups[0].split("/")[-2]
    assert name.startswith("mayfly-")
    assert daemon.stop() == 0
    left = [line for line in open("/proc/self/mountinfo") if " cgroup" in line]
    own = {line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup")}
    from pathlib import Path

    for line in left:
        for group in own:
            assert not (Path(line.split()[4]) / group.lstrip("/") / name).exists()
