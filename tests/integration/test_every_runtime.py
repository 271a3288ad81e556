"""What holds for every form of every runtime alike: one function in each, which does as its path says."""

import json
import shutil

import pytest

from support import processes

WORKERS = """
import { writeSync } from "node:fs";
const modes = {
  hello: () => new Response("hello 1"),
  log: () => { console.log("a line of its own"); return new Response("logged"); },
  hang: () => { for (;;); },
  die: () => process.kill(process.pid, "SIGKILL"),
  fail: () => { throw new Error("on purpose"); },
  large: () => new Response("x".repeat(300_000)),
  bytes: () => new Response(new Uint8Array([0xff, 0xfe, 0x00])),
  head: () => new Response("x", { headers: { "x-a": "a".repeat(2_000_000) } }),
  crlf: () => new Response("x", { headers: { "x-a": "a\\r\\nset-cookie: evil=1" } }),
};
export default { fetch: (request) => modes[new URL(request.url).pathname.slice(1)]() };
"""

EXPRESS = """
const modes = {
  hello: (res) => res.end("hello 1"),
  log: (res) => { console.log("a line of its own"); res.end("logged"); },
  hang: () => { for (;;); },
  die: () => process.kill(process.pid, "SIGKILL"),
  fail: () => { throw new Error("on purpose"); },
  large: (res) => res.end("x".repeat(300_000)),
  bytes: (res) => res.end(Buffer.from([0xff, 0xfe, 0x00])),
  head: (res) => { res.setHeader("x-a", "a".repeat(2_000_000)); res.end("x"); },
  crlf: (res) => { res.setHeader("x-a", "a\\r\\nset-cookie: evil=1"); res.end("x"); },
};
export default (req, res) => modes[req.url.slice(1)](res);
"""

NODE_LAMBDA = """
const modes = {
  hello: () => "hello 1",
  log: () => { console.log("a line of its own"); return "logged"; },
  hang: () => { for (;;); },
  die: () => process.kill(process.pid, "SIGKILL"),
  fail: () => { throw new Error("on purpose"); },
  large: () => "x".repeat(300_000),
  bytes: () => ({ statusCode: 200, body: "//4A", isBase64Encoded: true }),
  head: () => ({ statusCode: 200, headers: { "x-a": "a".repeat(2_000_000) }, body: "x" }),
  crlf: () => ({ statusCode: 200, headers: { "x-a": "a\\r\\nset-cookie: evil=1" }, body: "x" }),
};
export const handler = async (event) => {
  const answer = modes[event.rawPath.slice(1)]();
  return typeof answer === "string" ? { statusCode: 200, headers: { "content-type": "text/plain" }, body: answer } : answer;
};
"""

PYTHON_MODES = """
import os, signal

def act(mode):
    if mode == "hello":
        return b"hello 1"
    if mode == "log":
        print("a line of its own")
        return b"logged"
    if mode == "hang":
        while True:
            pass
    if mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "fail":
        raise ValueError("on purpose")
    return {"large": b"x" * 300_000, "bytes": b"\\xff\\xfe\\x00", "crlf": b"x", "head": b"x"}[mode]
"""

PYTHON_LAMBDA = PYTHON_MODES + """
def handler(event, context):
    mode = event["rawPath"][1:]
    headers = {"content-type": "text/plain"}
    if mode == "crlf":
        headers["x-a"] = "a\\r\\nset-cookie: evil=1"
    if mode == "head":
        headers["x-a"] = "a" * 2_000_000
    return {"statusCode": 200, "headers": headers, "body": act(mode)}
"""

PYTHON_ASYNC = PYTHON_LAMBDA.replace("def handler", "async def handler")

ASGI = PYTHON_MODES + """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    mode = scope["path"].removeprefix(scope["root_path"])[1:]
    headers = [(b"x-a", b"a\\r\\nset-cookie: evil=1")] if mode == "crlf" else []
    if mode == "head":
        headers = [(b"x-a", b"a" * 2_000_000)]
    body = act(mode)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""

WSGI = PYTHON_MODES + """
def app(environ, start_response):
    mode = environ["PATH_INFO"][1:]
    headers = [("x-a", "a\\r\\nset-cookie: evil=1")] if mode == "crlf" else []
    if mode == "head":
        headers = [("x-a", "a" * 2_000_000)]
    body = act(mode)
    start_response("200 OK", headers)
    return [body]
"""

CPP = """
#include <mayfly.h>
#include <csignal>
#include <iostream>
#include <stdexcept>

mayfly::Response handle(const mayfly::Request& request) {
  const auto mode = request.path().substr(1);
  if (mode == "hello") return {200, "hello 1"};
  if (mode == "log") { std::cout << "a line of its own" << std::endl; return {200, "logged"}; }
  if (mode == "hang") for (volatile int i = 0;; i = i + 1) {}
  if (mode == "die") raise(SIGKILL);
  if (mode == "fail") throw std::runtime_error("on purpose");
  if (mode == "large") return {200, std::string(300'000, 'x')};
  if (mode == "bytes") return {200, std::string("\\xff\\xfe\\0", 3)};
  if (mode == "head") return {200, "x", {{"x-a", std::string(2'000'000, 'a')}}};
  return {200, "x", {{"x-a", "a\\r\\nset-cookie: evil=1"}}};
}
MAYFLY_HANDLER(handle)
"""

C = """
#include <mayfly.h>
#include <signal.h>

static char large[300000];

static void handle(mayfly_request* request, mayfly_response* response) {
  const char* mode = mayfly_path(request).data + 1;
  if (!strcmp(mode, "hello")) mayfly_print(response, "hello 1");
  else if (!strcmp(mode, "log")) { puts("a line of its own"); mayfly_print(response, "logged"); }
  else if (!strcmp(mode, "hang")) for (volatile int i = 0;; i = i + 1) {}
  else if (!strcmp(mode, "die")) raise(SIGKILL);
  else if (!strcmp(mode, "fail")) mayfly_fail(response, "on purpose");
  else if (!strcmp(mode, "large")) mayfly_append(response, large, sizeof large);
  else if (!strcmp(mode, "bytes")) mayfly_append(response, "\\xff\\xfe\\0", 3);
  else if (!strcmp(mode, "head")) mayfly_add_header(response, "x-a", memset(large, 'a', sizeof large - 1));
  else if (mayfly_add_header(response, "x-a", "a\\r\\nset-cookie: evil=1") != MAYFLY_OK)
    mayfly_fail(response, "that is no header");
}
MAYFLY_HANDLER(handle)
"""

CGI = """#!/bin/sh
case $PATH_INFO in
  /hello) printf 'hello 1' ;;
  /log) echo 'a line of its own' >&2; printf 'logged' ;;
  /hang) while :; do :; done ;;
  /die) kill -9 $$ ;;
  /fail) echo 'on purpose' >&2; exit 3 ;;
  /large) head -c 300000 /dev/zero ;;
  /bytes) printf '\\377\\376\\000' ;;
  /head) printf 'Content-Type: text/plain\\nx-a: '; head -c 2000000 /dev/zero | tr '\\0' a; printf '\\n\\nx' ;;
  /crlf) printf 'Content-Type: text/plain\\nx-a: a\\r\\r\\nset-cookie: evil=1\\n\\nx' ;;
esac
"""

BOOTSTRAP = """#!/usr/bin/env python3
import base64, http.client, json, os, signal, sys

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/" + path, body)
    answer = api.getresponse()
    return answer.getheader("Lambda-Runtime-Aws-Request-Id"), answer.read()


def act(mode):
    if mode == "log":
        print("a line of its own", flush=True)
        return {"body": "logged"}
    if mode == "hang":
        while True:
            pass
    if mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "fail":
        raise ValueError("on purpose")
    if mode == "bytes":
        return {"body": base64.b64encode(b"\\xff\\xfe\\x00").decode(), "isBase64Encoded": True}
    if mode == "head":
        return {"body": "x", "headers": {"x-a": "a" * 2_000_000}}
    if mode == "crlf":
        return {"body": "x", "headers": {"x-a": "a\\r\\nset-cookie: evil=1"}}
    return {"body": "hello 1" if mode == "hello" else "x" * 300_000}


while True:
    request, event = call("GET", "invocation/next")
    try:
        answer = {"statusCode": 200, **act(json.loads(event)["rawPath"][1:])}
        call("POST", f"invocation/{request}/response", json.dumps(answer))
    except ValueError as error:
        call("POST", f"invocation/{request}/error", json.dumps({"errorMessage": str(error), "errorType": "ValueError"}))
"""

GO = """package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

func main() {
	switch os.Getenv("PATH_INFO") {
	case "/hello":
		fmt.Print("hello 1")
	case "/log":
		fmt.Fprintln(os.Stderr, "a line of its own")
		fmt.Print("logged")
	case "/hang":
		for {
		}
	case "/die":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "/fail":
		fmt.Fprintln(os.Stderr, "on purpose")
		os.Exit(3)
	case "/large":
		fmt.Print(strings.Repeat("x", 300000))
	case "/bytes":
		os.Stdout.Write([]byte{0xff, 0xfe, 0})
	case "/head":
		fmt.Print("Content-Type: text/plain\\nx-a: " + strings.Repeat("a", 2000000) + "\\n\\nx")
	case "/crlf":
		fmt.Print("Content-Type: text/plain\\nx-a: a\\r\\r\\nset-cookie: evil=1\\n\\nx")
	}
}
"""

#: name → files of its folder; the first one is spoilt for a deploy that must be refused.
FORMS = {
    "workers": {"index.js": WORKERS},
    "express": {"index.mjs": EXPRESS},
    "lambda": {"index.mjs": NODE_LAMBDA},
    "python-lambda": {"handler.py": PYTHON_LAMBDA},
    "python-async": {"handler.py": PYTHON_ASYNC},
    "asgi": {"asgi.py": ASGI},
    "wsgi": {"wsgi.py": WSGI},
    "cpp": {"main.cpp": CPP},
    "c": {"main.c": C},
    "cgi": {"main.sh": CGI},
    "bootstrap": {"bootstrap": BOOTSTRAP},
    "go": {"main.go": GO, "go.mod": "module function\n\ngo 1.19\n"},
}
#: Each request has a process of its own: its death is what its exit code would be.
PROCESS_EACH = {"cgi", "go"}
SETTINGS = ["timeout=1500ms", "max_response=200KiB"]


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755 if text.startswith("#!") else 0o644)


def deploy(daemon, name, folder, **more):
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return daemon.cli("deploy", folder, "--name", name, *settings, timeout=300, **more)


@pytest.fixture(scope="module", params=FORMS)
def form(request, daemon, tmp_path_factory):
    """The name of a function of this form, which is in service."""
    name = request.param
    if name == "go" and shutil.which("go") is None:
        pytest.skip("go is not installed")
    folder = tmp_path_factory.mktemp("forms") / name
    write(folder, FORMS[name])
    deploy(daemon, name, folder)
    return name


def still_serves(daemon, form, text="hello 1"):
    assert daemon.request(f"/{form}/hello").text == text


def test_a_line_of_its_own_has_the_invocation(form, daemon):
    answer = daemon.request(f"/{form}/log")
    assert (answer.status, answer.text) == (200, "logged")
    invocation = answer.header("mayfly-invocation")

    def line():
        done = daemon.cli("logs", form, "--invocation", invocation, "--json")
        return [record for record in map(json.loads, done.stdout.splitlines()) if record["text"] == "a line of its own"]

    assert processes.eventually(line), daemon.cli("logs", form).stdout


def test_the_deadline_ends_what_never_ends(form, daemon):
    answer = daemon.request(f"/{form}/hang")
    assert answer.status == 504 and answer.problem == "urn:mayfly:scheduler:deadline-exceeded"
    still_serves(daemon, form)


def test_a_death_is_told_and_another_one_serves(form, daemon):
    answer = daemon.request(f"/{form}/die")
    if form in PROCESS_EACH:
        assert answer.status == 502 and answer.problem == "urn:mayfly:pool:instance-killed"
    else:
        assert answer.status == 502 and answer.problem in ("urn:mayfly:pool:instance-killed", "urn:mayfly:pool:uncaught-exception")
    still_serves(daemon, form)


def test_a_failure_is_typed_and_its_words_are_the_owners(form, daemon):
    answer = daemon.request(f"/{form}/fail")
    assert answer.status in (500, 502) and "on purpose" not in answer.text
    assert processes.eventually(lambda: "on purpose" in daemon.cli("describe", form).stdout + daemon.cli("logs", form).stdout)
    still_serves(daemon, form)


def test_an_answer_over_the_limit_is_none(form, daemon):
    with daemon.wire() as wire:
        wire.send(f"GET /{form}/large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        raw = wire.rest()
    head, _, body = raw.partition(b"\r\n\r\n")
    if head.split()[1] == b"200":
        assert len(body) < 300_000 and not body.endswith(b"0\r\n\r\n"), "cut, and not ended as if it were whole"
    else:
        assert head.split()[1] == b"502" and b"answer-too-large" in body
    still_serves(daemon, form)


def test_bytes_that_are_no_text_go_as_they_are(form, daemon):
    answer = daemon.request(f"/{form}/bytes")
    assert (answer.status, answer.body) == (200, b"\xff\xfe\x00")


def test_a_header_with_a_line_break_is_none(form, daemon):
    answer = daemon.request(f"/{form}/crlf")
    assert answer.header("set-cookie") is None
    assert answer.status in (500, 502), answer.headers
    still_serves(daemon, form)


def test_headers_over_the_limit_are_an_error_of_that_answer_alone(form, daemon):
    answer = daemon.request(f"/{form}/head")
    if form in PROCESS_EACH:  # whose header block has a limit of its own
        assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:answer-broken"), answer.text
    else:
        assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:headers-too-large"), answer.text
        assert answer.json["limit"] == "128KiB"
    still_serves(daemon, form)


def test_a_broken_version_changes_nothing_and_the_next_one_takes_over(form, daemon, tmp_path):
    name, text = next(iter(FORMS[form].items()))
    write(tmp_path / form, {**FORMS[form], name: "#!/nowhere/at/all\n" if text.startswith("#!") else text + "\n)))("})
    refused = deploy(daemon, form, tmp_path / form, check=False)
    assert refused.returncode == 1, refused.stdout
    still_serves(daemon, form)
    write(tmp_path / form, {**FORMS[form], name: text.replace("hello 1", "hello 2")})
    assert f"{form}@2" in deploy(daemon, form, tmp_path / form).stdout
    still_serves(daemon, form, "hello 2")
    assert daemon.request(f"/{form}@1/hello").text == "hello 1"


def test_all_are_there_again_after_a_restart(daemon):
    before = {function["name"] for function in json.loads(daemon.cli("list", "--json").stdout)["functions"]}
    assert before, "the tests above deploy"
    daemon.restart()
    for name in before:
        assert daemon.request(f"/{name}/hello").text.startswith("hello ")
