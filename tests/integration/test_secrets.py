"""Secrets: who gets them, who does not, and changing one under load."""

import json
import subprocess
from pathlib import Path

import pytest

from support import processes
from support.daemon import BINARY
from support.load import Load

FOLLOWS = 'export default { fetch: (request, env) => new Response(env.NAME ?? "none") };\n'
NODE = """
import { readFileSync } from 'node:fs';
export default { fetch(request, env) {
  console.log('asked');
  return Response.json({ env: env.VARIABLE, process: process.env.VARIABLE,
                         file: env.CERTIFICATE && readFileSync(env.CERTIFICATE).toString('base64') });
} };
"""
PYTHON = """
import base64, os
def handler(event, context):
    with open(os.environ["CERTIFICATE"], "rb") as file:
        return {"env": os.environ["VARIABLE"], "file": base64.b64encode(file.read()).decode()}
"""
NATIVE = """
#include <mayfly.h>
static void tell(mayfly_request* request, mayfly_response* response) {
  char value[64] = {0};
  FILE* file = fopen(getenv("CERTIFICATE"), "r");
  if (file) fread(value, 1, sizeof value - 1, file);
  mayfly_print(response, getenv("VARIABLE"));
  mayfly_print(response, " ");
  mayfly_print(response, value);
}
MAYFLY_HANDLER(tell)
"""
SHELL = """#!/bin/sh
printf 'Content-Type: application/json\\n\\n{"env":"%s","file":"%s"}' "$VARIABLE" "$(base64 -w0 "$CERTIFICATE")"
"""


def put(daemon, name, value) -> dict:
    answer = daemon.admin(f"/v1/secrets/{name}", "PUT", body=value.encode() if isinstance(value, str) else value)
    assert answer.status in (200, 201), answer.text
    return answer.json


def listed(daemon) -> dict[str, dict]:
    return {one["name"]: one for one in daemon.admin("/v1/secrets").json["secrets"]}


def both_forms(daemon) -> list[str]:
    put(daemon, "VARIABLE", 'quotes " and \\ and\nlines, ä, 👍')
    put(daemon, "CERTIFICATE", b"\x00binary\xff\n")
    return ["VARIABLE", "CERTIFICATE:file"]


@pytest.mark.parametrize("file, code", [("f.mjs", NODE), ("f.py", PYTHON)])
def test_a_function_gets_what_it_lists(daemon, file, code):
    name = "gets-" + file.split(".")[1]
    daemon.deploy(name, code, file, secrets=both_forms(daemon))
    for _ in range(2):  # of one instance and of the next
        answer = daemon.request(f"/{name}")
        assert answer.status == 200, answer.text
        assert answer.json["env"] == 'quotes " and \\ and\nlines, ä, 👍'
        assert answer.json["file"] == "AGJpbmFyef8K"
        daemon.admin(f"/v1/functions/{name}/evict", "POST")


def test_a_program_gets_what_it_lists(daemon):
    put(daemon, "VARIABLE", "plain")
    put(daemon, "CERTIFICATE", b"\x00binary\xff\n")
    daemon.deploy("gets-sh", SHELL, "f.sh", secrets=["VARIABLE", "CERTIFICATE:file"])
    for _ in range(2):
        assert daemon.request("/gets-sh").json == {"env": "plain", "file": "AGJpbmFyef8K"}


def test_native_code_gets_what_it_lists(daemon):
    put(daemon, "VARIABLE", "plain")
    put(daemon, "CERTIFICATE", "of a file")
    daemon.deploy("gets-c", NATIVE, "f.c", secrets=["VARIABLE", "CERTIFICATE:file"])
    for _ in range(2):
        assert daemon.request("/gets-c").text == "plain of a file"


def test_others_do_not_get_it(daemon):
    put(daemon, "NAME", "for one alone")
    daemon.deploy("has", FOLLOWS, secrets=["NAME"])
    daemon.deploy("has-not", FOLLOWS)
    assert daemon.request("/has").text == "for one alone"
    assert daemon.request("/has-not").text == "none"


def memory_of(pid: int) -> bytes:
    """All that a process has mapped for itself."""
    found = b""
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            begin, end = (int(part, 16) for part in place.split("-"))
            try:
                memory.seek(begin)
                found += memory.read(end - begin)
            except (OSError, ValueError):
                pass  # not all that is mapped can be read
    return found


def test_a_value_shows_nowhere(start_daemon):
    daemon = start_daemon()
    marker = "sk-live-4eC39HqLyjWDarjtT1zdp7dc"
    put(daemon, "NAME", marker)
    daemon.deploy("pay", FOLLOWS, secrets=["NAME"])
    daemon.deploy("other", FOLLOWS)
    daemon.deploy("breaks", "if (process.env.NAME) throw new Error('at load');\n" + FOLLOWS)
    assert daemon.put("refused", "throw new Error('x');\n" + FOLLOWS, secrets=["NAME"]).status == 422
    assert daemon.request("/pay").text == marker, "it is used"
    assert daemon.request("/other").text == "none"
    for path in ("/v1/secrets", "/v1/functions", "/v1/functions/pay", "/v1/status", "/metrics", "/v1/openapi.json",
                 "/v1/functions/pay/logs", "/v1/functions/pay/versions"):
        assert marker not in daemon.admin(path).text, path
    assert daemon.admin("/v1/secrets/NAME").status == 405
    assert marker not in daemon.cli("describe", "pay").stdout
    assert marker not in daemon.cli("secret", "list").stdout

    def files_with_it():
        return [f for f in daemon.folder.rglob("*") if f.is_file() and marker.encode() in f.read_bytes()]

    assert not files_with_it()
    assert marker not in daemon.last_words(1 << 20)
    # The template of the function that lists it has it, to tell that the search works; the runtime process, and so
    # what is forked for others, has not.
    pids = {t["name"]: daemon.describe(t["name"])["live"] for t in daemon.admin("/v1/functions").json["functions"]}
    template = {name: live["templates"][0]["pid"] for name, live in pids.items() if live["templates"]}
    assert marker.encode() in memory_of(template["pay"])
    assert marker.encode() not in memory_of(template["other"])
    runtime = next(r for r in daemon.admin("/v1/status").json["runtimes"] if r["name"] == "node")
    assert marker.encode() not in memory_of(runtime["pid"])
    assert daemon.stop() == 0
    assert not files_with_it()


def test_the_key_is_beside_the_database_and_private(start_daemon):
    daemon = start_daemon()
    key = daemon.folder / "secret-key"
    assert not key.exists(), "made when it is needed"
    put(daemon, "NAME", "kept")
    assert key.stat().st_mode & 0o777 == 0o600
    daemon.deploy("f", FOLLOWS, secrets=["NAME"])
    assert daemon.request("/f").text == "kept"
    daemon.restart()
    assert daemon.request("/f").text == "kept"
    daemon.kill()
    daemon.start()
    assert daemon.request("/f").text == "kept"

    key.rename(daemon.folder / "away")
    daemon.restart()
    assert "secret-key" in daemon.last_words() and "missing" in daemon.last_words()
    assert daemon.request("/f").problem == "urn:mayfly:pool:template-failed"
    refused = daemon.admin("/v1/secrets/NAME", "PUT", body=b"new")
    assert (refused.status, refused.problem) == (503, "urn:mayfly:secrets:locked")
    assert "missing" in refused.json["detail"]
    assert not key.exists(), "nothing is overwritten"
    daemon.deploy("needs-none", FOLLOWS)
    assert daemon.request("/needs-none").text == "none", "the others go on"
    (daemon.folder / "away").rename(key)
    daemon.restart()
    assert daemon.request("/f").text == "kept"


def test_what_a_deployment_lists_must_be_there(daemon):
    put(daemon, "STRIPE_KEY", "x")
    answer = daemon.put("lists", FOLLOWS, secrets=["STRIPE_KEX"])
    assert (answer.status, answer.problem) == (422, "urn:mayfly:registry:bad-config")
    assert "'STRIPE_KEX'" in answer.json["detail"] and "did you mean 'STRIPE_KEY'?" in answer.json["detail"]
    answer = daemon.put("lists", FOLLOWS, secrets=["STRIPE_KEY"], **{"env.STRIPE_KEY": "y"})
    assert (answer.status, answer.problem) == (422, "urn:mayfly:registry:bad-config")
    assert "in env and in secrets" in answer.json["detail"]
    put(daemon, "BINARY", b"\xff\x00")
    answer = daemon.put("lists", FOLLOWS, secrets=["BINARY"])
    assert answer.status == 422 and '"BINARY:file"' in answer.json["detail"]
    assert daemon.admin("/v1/functions/lists").status == 404


def test_one_that_is_listed_is_not_deleted(daemon):
    put(daemon, "LISTED", "x")
    daemon.deploy("lister", FOLLOWS, secrets=["LISTED"])
    assert listed(daemon)["LISTED"]["functions"] == ["lister"]
    refused = daemon.admin("/v1/secrets/LISTED", "DELETE")
    assert (refused.status, refused.problem) == (409, "urn:mayfly:secrets:in-use")
    assert "lister@1" in refused.json["detail"]
    daemon.admin("/v1/functions/lister", "DELETE")
    assert daemon.admin("/v1/secrets/LISTED", "DELETE").status == 204
    assert daemon.admin("/v1/secrets/LISTED", "DELETE").problem == "urn:mayfly:secrets:unknown-secret"

    put(daemon, "LISTED", "x")
    daemon.deploy("lister", FOLLOWS, secrets=["LISTED"])
    assert daemon.admin("/v1/secrets/LISTED?force=true", "DELETE").status == 204
    daemon.admin("/v1/functions/lister/evict?what=template", "POST")
    assert daemon.request("/lister").problem == "urn:mayfly:pool:template-failed"
    put(daemon, "LISTED", "again")
    processes.eventually(lambda: daemon.request("/lister").status == 200, what="the function with its secret")


def test_names_and_values_have_bounds(daemon):
    def refusal(name, value):
        answer = daemon.admin(f"/v1/secrets/{name}", "PUT", body=value)
        return answer.status, answer.problem.removeprefix("urn:mayfly:secrets:")

    assert refusal("NOT-A-NAME", b"x") == (400, "bad-name")
    assert refusal("EMPTY", b"") == (422, "bad-value")
    assert refusal("LARGE", b"x" * (64 * 1024 + 1)) == (413, "too-large")
    largest = "x" * 64 * 1024
    names = [f"LARGE_{i}" for i in range(4)]  # more than a packet of the control socket holds
    for name in names:
        put(daemon, name, largest)
    daemon.deploy("large", "export default { fetch: (r, env) => new Response(String(Object.keys(env)"
                  ".filter((k) => k.startsWith('LARGE_')).map((k) => env[k].length))) };", secrets=names)
    assert daemon.request("/large").text == "65536,65536,65536,65536"


def test_a_change_reaches_functions_without_losing_a_request(daemon):
    put(daemon, "NAME", "value 0")
    daemon.deploy("changes", FOLLOWS, secrets=["NAME"])
    daemon.deploy("slow", "export default { async fetch(request, env) {\n"
                  "  await new Promise((r) => setTimeout(r, 50)); return new Response(env.NAME); } };", secrets=["NAME"])
    with Load(daemon.url + "/changes") as load, Load(daemon.url + "/slow") as slow:
        for n in range(1, 6):
            load.wait_for(20)
            slow.wait_for(4)
            answer = put(daemon, "NAME", f"value {n}")
            assert {"changes@1", "slow@1"} <= set(answer["renewed"]), answer
            assert "warnings" not in answer
            # What is sent after the answer meets the new value.
            assert daemon.request("/changes").text == f"value {n}"
            assert daemon.request("/slow").text == f"value {n}"
        load.wait_for(20)
    for outcomes in (load.outcomes, slow.outcomes):
        assert {status for status, _ in outcomes} == {200}, outcomes
        assert {text for _, text in outcomes} == {f"value {n}" for n in range(6)}
    # The old templates and instances have ended.
    def few_left():
        live = daemon.describe("changes")["live"]
        return len(live["templates"]) == 1 and live["templates"][0]["state"] == "ready"

    processes.eventually(few_left, what="one template")


def test_code_that_cannot_load_with_a_new_value_goes_on_with_the_old(daemon):
    put(daemon, "CHECKED", "good")
    daemon.deploy("checks", "if (process.env.CHECKED === 'bad') throw new Error('no such key');\n"
                  "export default { fetch: (r, env) => new Response(env.CHECKED) };", secrets=["CHECKED"])
    assert daemon.request("/checks").text == "good"
    answer = put(daemon, "CHECKED", "bad")
    assert answer["renewed"] == []
    assert "checks@1" in answer["warnings"][0] and "no such key" in answer["warnings"][0]
    assert daemon.request("/checks").text == "good"
    assert put(daemon, "CHECKED", "better")["renewed"] == ["checks@1"]
    assert daemon.request("/checks").text == "better"


def test_the_command_line(daemon, tmp_path):
    def run(*arguments, text=None):
        return subprocess.run([BINARY, "secret", *map(str, arguments)], env=daemon.environment(), input=text,
                              capture_output=True, text=True, timeout=60)

    assert run("set", "FROM_INPUT", text="piped\n").stdout == "FROM_INPUT is set\n"
    daemon.deploy("input", FOLLOWS.replace("NAME", "FROM_INPUT"), secrets=["FROM_INPUT"])
    assert daemon.request("/input").text == "piped", "without the line end"
    changed = run("set", "FROM_INPUT", "--from-file", "-", text="exact\n")
    assert changed.stdout == "FROM_INPUT is changed\ninput@1 has it\n"
    assert daemon.request("/input").text == "exact\n"
    file = tmp_path / "value"
    file.write_text("of a file\n")
    assert run("set", "FROM_INPUT", "--from-file", file).returncode == 0
    assert daemon.request("/input").text == "of a file\n"

    refused = run("set", "FROM_INPUT", "on-the-command-line")
    assert refused.returncode == 2 and "standard input" in refused.stderr
    assert "on-the-command-line" not in refused.stderr
    assert run("sett", "A").returncode == 2
    assert run("set").returncode == 2
    row = next(line for line in run("list").stdout.splitlines() if line.startswith("FROM_INPUT"))
    assert row.endswith("input")
    names = [one["name"] for one in json.loads(run("list", "--json").stdout)["secrets"]]
    assert "FROM_INPUT" in names
    kept = run("delete", "FROM_INPUT")
    assert kept.returncode == 1 and "input@1" in kept.stderr
    run("set", "UNUSED", text="x")
    assert run("delete", "UNUSED").stdout == "UNUSED is deleted\n"
