"""What a function sees and may, as root and as an ordinary user."""

import json
import subprocess

import pytest

from support.daemon import BINARY
from support.processes import eventually
from support.users import USERS, daemon_of

SHELL = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
eval "$(cat)" 2>&1
true
"""

NODE = """
import { execSync } from 'node:child_process';
export default { async fetch(request) {
  const command = await request.text();
  try { return new Response(execSync(command + ' 2>&1 || true')); } catch (error) { return new Response(String(error)); }
} };
"""

PYTHON = """
import subprocess
def handler(event, context):
    return subprocess.run(event["body"] + " 2>&1 || true", shell=True, capture_output=True, text=True).stdout
"""

RUNTIMES = {"exec": ("shell.sh", SHELL), "node": ("shell.js", NODE), "python": ("shell.py", PYTHON)}


@pytest.fixture(scope="module", params=USERS)
def platform(request):
    with daemon_of(request.param) as daemon:
        daemon.start()
        for name, (file, source) in RUNTIMES.items():
            daemon.deploy(name, source, file)
        yield daemon
        daemon.stop()


def run(daemon, function: str, command: str) -> str:
    answer = daemon.request(f"/{function}", "POST", body=command.encode(), headers={"content-type": "text/plain"})
    assert answer.status == 200, answer.text
    return answer.text


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_is_nobody_with_no_rights(platform, runtime):
    assert run(platform, runtime, "id -un; id -u").split() == ["function", "1000"]
    status = dict(line.split(":\t") for line in run(platform, runtime, "cat /proc/self/status").splitlines() if ":\t" in line)
    assert status["CapEff"] == status["CapPrm"] == "0" * 16
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_sees_the_processes_of_its_own_function_alone(platform, runtime):
    seen = run(platform, runtime, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "mayfly serve" not in seen and "systemd" not in seen
    assert len(run(platform, runtime, "ls -d /proc/[0-9]*").split()) < 12


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_files_of_the_daemon_and_of_homes_are_not_there(platform, runtime):
    for path in (platform.folder / "admin-token", platform.folder / "mayfly.db", "/root/.bashrc", "/root/.profile", "/home", "/etc/shadow"):
        assert "No such file" in run(platform, runtime, f"ls {path}"), path
    sources = platform.folder / "sources"
    assert len(list(sources.iterdir())) >= 3
    shown = run(platform, runtime, f"ls /host{sources} {sources} 2>/dev/null")
    assert sum(entry.name in shown for entry in sources.iterdir()) == 1, "its own source alone"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_writes_only_to_its_tmp(platform, runtime):
    for folder in ("/", "/usr", "/etc", "/usr/local/bin", '"$(pwd -P)"'):
        assert "Read-only file system" in run(platform, runtime, f"touch {folder}/x"), folder
    assert run(platform, runtime, "echo kept > /tmp/x && cat /tmp/x") == "kept\n"
    assert run(platform, runtime, "echo shared > /dev/shm/y && cat /dev/shm/y") == "shared\n"


def test_each_instance_has_a_tmp_of_its_own(platform):
    platform.deploy("fresh", SHELL, "shell.sh", isolation="request")
    run(platform, "fresh", "echo secret > /tmp/left")
    assert "No such file" in run(platform, "fresh", "cat /tmp/left")


def test_what_loading_left_in_tmp_is_there_in_each_instance(platform):
    platform.deploy("prepared", """
        import fs from 'node:fs';
        fs.mkdirSync('/tmp/model/deep', { recursive: true });
        fs.writeFileSync('/tmp/model/deep/weights', 'w'.repeat(100_000));
        fs.symlinkSync('deep/weights', '/tmp/model/link');
        export default { fetch(request) {
          if (request.method === 'POST') fs.writeFileSync('/tmp/model/deep/weights', 'changed');
          return new Response(String(fs.readFileSync('/tmp/model/link').length)); } };
        """, "prepared.js", isolation="request")
    assert platform.request("/prepared").text == "100000"
    assert platform.request("/prepared", "POST").text == "7"
    assert platform.request("/prepared").text == "100000"


def test_tmp_is_bounded(platform):
    said = run(platform, "exec", "head -c 200000000 /dev/zero > /tmp/big; ls -l /tmp/big | awk '{print $5}'; rm /tmp/big")
    assert "No space left on device" in said
    assert 0 < int(said.split()[-1]) <= 64 << 20


def test_without_a_network_there_is_only_a_loopback(platform):
    platform.deploy("alone", SHELL, "shell.sh", network="none")
    assert run(platform, "alone", "cat /proc/net/dev | tail -n +3 | awk '{print $1}'").split() == ["lo:"]
    port = platform.admin_port
    said = run(platform, "alone", f"curl -sS -m 5 http://127.0.0.1:{port}/healthz")
    assert "Failed to connect" in said or "Connection refused" in said or "Could not connect" in said


@pytest.mark.parametrize("call, command", [
    ("ptrace", "strace true"),
    ("mount", "mount -t tmpfs none /tmp"),
    ("unshare", "unshare -U true"),
    ("chroot", "chroot /tmp true"),
])
def test_a_program_that_makes_a_forbidden_call_dies_of_it(platform, call, command):
    if subprocess.run(["which", command.split()[0]], capture_output=True).returncode != 0:
        pytest.skip(f"{command.split()[0]} is not installed")
    said = run(platform, "exec", f"{command}; echo status $?")
    assert "status 159" in said or "status 0" not in said, f"{call}: {said}"


@pytest.mark.parametrize("script, status, problem, words", [
    ("exec unshare -U true", 502, "urn:mayfly:pool:forbidden-system-call", "forbidden system call"),
    ("unshare -U true", 500, "urn:mayfly:pool:handler-threw", "exit code 159: what shells say of a program that made a forbidden system call"),
])
def test_an_executable_that_dies_of_a_forbidden_call_is_named(platform, script, status, problem, words):
    platform.deploy("calls", f"#!/bin/sh\necho said >&2\n{script}\n", "calls.sh")
    answer = platform.request("/calls")
    assert (answer.status, answer.problem) == (status, problem), answer.text
    id = answer.header("mayfly-invocation")  # its failure is noted after its answer
    failure = eventually(lambda: next((one for one in platform.describe("calls")["live"].get("failures", []) if one["invocation"] == id), None))
    assert (failure["message"], failure["stack"].splitlines()[0]) == (words, "said")
    assert run(platform, "exec", "echo on") == "on\n", "neighbours go on"


FORBIDDEN = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def handler(event, context):
    libc.syscall(int(event["rawPath"].strip("/").split("/")[-1]), 0, 0, 0, 0, 0)
    return "survived"
"""


@pytest.mark.parametrize("name, number", [("ptrace", 101), ("bpf", 321), ("keyctl", 250), ("userfaultfd", 323), ("unshare", 272)])
def test_a_forbidden_call_of_the_function_itself_is_named(platform, name, number):
    platform.deploy("forbidden", FORBIDDEN, "forbidden.py")
    answer = platform.request(f"/forbidden/{number}")
    assert answer.status == 502, answer.text
    eventually(lambda: f"forbidden system call: {name}" in platform.cli("logs", "forbidden").stdout, what="its name in the log")
    assert run(platform, "python", "echo on") == "on\n", "neighbours go on"


def test_kill_of_everybody_is_forbidden_and_its_siblings_live(platform):
    platform.deploy("killer", """
        import os, signal
        def handler(event, context):
            if event["rawPath"].endswith("/kill"): os.kill(-1, signal.SIGKILL)
            return str(os.getpid())
        """.replace("\n        ", "\n"), "killer.py")
    assert platform.request("/killer/kill").status == 502
    assert platform.request("/killer").status == 200


def test_the_daemon_says_what_the_sandbox_is_made_of(platform):
    layers = {layer["name"]: layer for layer in platform.admin("/v1/status").json["sandbox"]}
    assert layers["namespaces"]["there"] and layers["seccomp"]["there"]
    if not layers["users"]["there"]:
        described = json.loads(platform.cli("describe", "node", "--json").stdout)
        assert any("users" in missing for missing in described["live"]["sandbox_missing"])


def test_a_required_layer_that_is_missing_keeps_the_daemon_from_starting(tmp_path):
    done = subprocess.run([BINARY, "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                           "--require", "namespaces,moat"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "--require moat" in done.stderr
