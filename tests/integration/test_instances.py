"""What functions may not do to their instance's link with the daemon, and what becomes of work that nobody waits for."""

import json
import subprocess

import pytest

from support.daemon import BINARY
from support.processes import eventually

FORKS_PYTHON = """
import os, sys

def handler(event, context):
    how = event["rawPath"]
    print("a line that is begun", end="")
    child = os.fork()
    if child == 0:
        if how == "/exit":
            sys.exit(3)
        if how == "/os-exit":
            os._exit(4)
        if how == "/throw":
            raise ValueError("in the child")
        return "child"
    _, status = os.waitpid(child, 0)
    return f"parent, child {os.waitstatus_to_exitcode(status)}"
"""

FORKS_ASYNC = FORKS_PYTHON.replace("def handler", "async def handler")

FORKS_CPP = """
#include <mayfly.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <stdexcept>

mayfly::Response handle(const mayfly::Request& request) {
  const std::string how(request.path());
  std::printf("a line that is begun");
  const pid_t child = fork();
  if (child == 0) {
    if (how == "/exit") exit(3);
    if (how == "/os-exit") _exit(4);
    if (how == "/throw") throw std::runtime_error("in the child");
    return {200, "child"};
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {200, "parent, child " + std::to_string(WEXITSTATUS(status))};
}
MAYFLY_HANDLER(handle)
"""

ENDS = {"/exit": 3, "/os-exit": 4, "/throw": 0, "/return": 0}


@pytest.mark.parametrize(
    "name, file, code", [("forks-python", "f.py", FORKS_PYTHON), ("forks-async", "f.py", FORKS_ASYNC), ("forks-cpp", "f.cpp", FORKS_CPP)]
)
def test_a_fork_of_an_instance_does_not_speak_for_it(daemon, name, file, code):
    daemon.deploy(name, code, file=file, max_instances="1")
    for path, status in ENDS.items():
        for _ in range(3):
            answer = daemon.request(f"/{name}{path}")
            assert (answer.status, answer.text.strip('"')) == (200, f"parent, child {status}"), path
    assert not daemon.describe(name)["live"].get("failures")

    def lines():
        records = map(json.loads, daemon.cli("logs", name, "--json", "--tail", "1000").stdout.splitlines())
        return [record for record in records if "a line that is begun" in record["text"]]

    assert eventually(lambda: len(lines()) >= 12)
    assert len(lines()) == 12, "a fork has written its parent's line"


LISTS = {
    "lists-node": ("f.mjs", """
        import { execFileSync } from "node:child_process";
        export default { fetch: () => new Response(execFileSync("ls", ["-l", "/proc/self/fd"])) };"""),
    "lists-python": ("f.py", "import subprocess\ndef handler(event, context):\n"
                     "    return subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False, capture_output=True, text=True).stdout\n"),
    "lists-cpp": ("f.cpp", """#include <mayfly.h>
        #include <cstdio>
        mayfly::Response handle(const mayfly::Request&) {
          std::string text(10000, ' ');
          FILE* pipe = popen("ls -l /proc/self/fd", "r");
          text.resize(fread(text.data(), 1, text.size(), pipe));
          pclose(pipe);
          return {200, text};
        }
        MAYFLY_HANDLER(handle)"""),
    "lists-cgi": ("f.sh", "#!/bin/sh\nexec ls -l /proc/self/fd\n"),
}


@pytest.mark.parametrize("name", LISTS)
def test_programs_that_a_function_starts_have_none_of_its_sockets(daemon, name):
    file, code = LISTS[name]
    daemon.deploy(name, code, file=file)
    answer = daemon.request(f"/{name}")
    assert answer.status == 200 and "/proc/" in answer.text, answer.text
    sockets = [word.split()[0] for word in answer.text.replace("\\n", "\n").replace(" -> ", "->").split() if "->socket:" in word]
    assert all(word.split("->")[0] in ("0", "1", "2") for word in sockets), answer.text


def test_an_exit_with_the_answer_takes_no_later_request_along(daemon):
    daemon.deploy("exits-at-once", "export default (req, res) => { res.end('bye'); process.exit(3); };", file="f.mjs")
    for _ in range(20):
        answer = daemon.request("/exits-at-once")
        assert (answer.status, answer.text) == (200, "bye")


@pytest.mark.parametrize(
    "name, code",
    [
        ("exits-after-fetch", "export default { fetch() { setImmediate(() => process.exit(3)); return new Response('bye'); } };"),
        ("exits-after-express", "export default (req, res) => { res.end('bye'); process.exit(3); };"),
        ("exits-in-wait", "export default { fetch(r, e, c) { c.waitUntil(Promise.resolve().then(() => process.exit(3))); return new Response('bye'); } };"),
    ],
)
def test_an_exit_right_after_the_answer_does_not_take_it_along(daemon, name, code):
    daemon.deploy(name, code, file="f.mjs")
    for _ in range(5):
        answer = daemon.request(f"/{name}")
        assert (answer.status, answer.text) == (200, "bye")
        assert eventually(lambda: daemon.describe(name)["live"]["instances"] == 0)


OVERDUE = {
    "waits-node": ("f.mjs", """export default { fetch(request, env, ctx) {
        ctx.waitUntil(new Promise(() => {}));
        return new Response("answered");
    } };"""),
    "waits-asgi": ("f.py", """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answered"})
    await asyncio.sleep(100)
"""),
}


@pytest.mark.parametrize("name", OVERDUE)
def test_work_after_the_answer_that_is_cut_is_told(daemon, name):
    file, code = OVERDUE[name]
    daemon.deploy(name, code, file=file, timeout="500ms")
    answer = daemon.request(f"/{name}")
    assert (answer.status, answer.text) == (200, "answered")

    def told():
        return [failure for failure in daemon.describe(name)["live"].get("failures", []) if failure["type"].endswith("pool:overdue-unheard")]

    assert eventually(told), daemon.describe(name)
    assert told()[0]["invocation"] == answer.header("mayfly-invocation")
    assert told()[0]["message"] == "work after the answer went on past the deadline of 500ms"


def test_a_client_of_the_admin_plane_that_leaves_ends_its_invocation(daemon):
    daemon.deploy(
        "left-alone",
        """export default { async fetch(request) {
          request.signal.addEventListener("abort", () => console.log("told: " + request.signal.reason.message));
          console.log("waits");
          await new Promise(() => {});
        } };""",
        file="f.mjs", timeout="60s",
    )
    process = subprocess.Popen([BINARY, "invoke", "left-alone"], env=daemon.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: "waits" in daemon.cli("logs", "left-alone").stdout)
    finally:
        process.kill()
        process.wait(10)
    assert eventually(lambda: "told: The client has left" in daemon.cli("logs", "left-alone").stdout), daemon.cli("logs", "left-alone").stdout


def test_following_a_log_ends_with_the_function(daemon):
    daemon.deploy("deleted", "export default { fetch: () => { console.log('served'); return new Response('x'); } };", file="f.mjs")
    daemon.request("/deleted")
    process = subprocess.Popen([BINARY, "logs", "-f", "deleted"], env=daemon.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert "served" in process.stdout.readline()
        daemon.request("/deleted")
        assert "served" in process.stdout.readline(), "it follows"
        assert daemon.admin("/v1/functions/deleted", "DELETE").status in (200, 204)
        rest, _ = process.communicate(timeout=20)
        assert rest.splitlines()[-1].endswith("the function was deleted: its log ends here")
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait(10)
