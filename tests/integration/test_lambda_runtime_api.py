"""Functions built for Lambda's custom runtimes run unchanged: Go, Rust, Python and Node with the clients that their
vendors wrote, and what the Runtime API says to who uses it wrongly."""

import json
import re
import time
from pathlib import Path

import pytest

from support import lambda_clients
from support.processes import command_line, eventually

HANDLER_THREW = "urn:mayfly:pool:handler-threw"
CLIENTS = ["go", "rust", "python", "node"]
STREAMING = ["go", "rust", "node"]  # awslambdaric knows no streamed answers


@pytest.fixture(scope="module")
def deployed(daemon, tmp_path_factory):
    """deployed(client, **environment) → the function's path; each is deployed once."""
    done: dict[str, str] = {}

    def deploy(client: str, **environment: str) -> str:
        name = "-".join(["client", client, *(key.lower() for key in environment)])
        if name not in done:
            folder = getattr(lambda_clients, client)(tmp_path_factory.mktemp(name))
            settings = [word for key, value in environment.items() for word in ("--set", f"env.{key}={value}")]
            if client == "node":  # reads _HANDLER
                handler = "app.parts" if "STREAM" in environment else "app.handler"
                settings += ["--set", f"handler={handler}", "--set", "source=bootstrap"]
            daemon.cli("deploy", folder, "--name", name, "--set", "timeout=20s", *settings, timeout=1100)
            done[name] = f"/{name}"
        return done[name]

    return deploy


def admin_answer(daemon, path: str, target: str):
    return daemon.admin(f"/v1/functions{path}/invocations", "POST", json={"path": target, "rawPath": target})


# --- Clients that others wrote -------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS)
def test_a_request_and_its_answer(daemon, deployed, client):
    path = deployed(client)
    for _ in range(3):
        answer = daemon.request(path + "/some/path?q=a+b", "POST", body=b"hello", headers={"content-type": "text/plain"})
        assert answer.status == 201, answer.text
        assert answer.text == f"POST /some/path q=a b body=hello fn={path[1:]} left=true"
        assert answer.header("x-request-id") == answer.header("mayfly-invocation")
        assert answer.all("set-cookie") == ["a=1", "b=2"]
    log = eventually(lambda: (lines := daemon.cli("logs", path[1:], "--json").stdout) and " function" in lines and lines)
    line = next(json.loads(line) for line in log.split("\n") if "a line of the" in line)
    assert line["invocation"], "its invocation is known"


def test_a_topics_batch_comes_as_records_and_single_ones_again(daemon, tmp_path):
    trigger = {"on.topic": "records", "on.batch": "10", "on.batch_wait": "100ms", "on.attempts": "2", "on.backoff": "10ms"}
    settings = [word for key, value in trigger.items() for word in ("--set", f"{key}={value}")]
    daemon.cli("deploy", lambda_clients.python(tmp_path), "--name", "records", "--set", "timeout=20s", *settings, timeout=1100)
    key = daemon.admin("/v1/keys", "POST", json={"name": "records"}).json["key"]
    batch = [{"specversion": "1.0", "id": str(number), "source": "/t", "type": "t", "datacontenttype": "text/plain", "data": data}
             for number, data in enumerate(["good", "bad", "fine"])]
    accepted = daemon.request("/topics/records", "POST", json=batch,
                              headers={"x-api-key": key, "content-type": "application/cloudevents-batch+json"})
    assert accepted.status == 202, accepted.text

    def seen():
        texts = (json.loads(line)["text"] for line in daemon.cli("logs", "records", "--json").stdout.splitlines())
        found = sorted(text for text in texts if text.startswith("record "))
        return found if len(found) >= 4 else None

    assert eventually(seen) == ["record 1 bad", "record 1 fine", "record 1 good", "record 2 bad"]


@pytest.mark.parametrize("client", CLIENTS)
def test_an_error_is_typed(daemon, deployed, client):
    path = deployed(client)
    answer = daemon.request(path + "/error")
    assert (answer.status, answer.problem) == (500, HANDLER_THREW)
    assert "on purpose" not in answer.text, "too much for the public"
    eventually(lambda: "on purpose" in daemon.cli("logs", path[1:]).stdout)
    assert daemon.request(path + "/again").status == 201


@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_beyond_six_megabytes(daemon, deployed, client):
    path = deployed(client)
    answer = daemon.request(path + "/large")
    assert (answer.status, answer.problem) == (500, HANDLER_THREW)
    eventually(lambda: "6 MiB" in daemon.cli("logs", path[1:]).stdout)
    assert daemon.request(path + "/again").status == 201


@pytest.mark.parametrize("client", CLIENTS)
def test_a_function_that_exits_is_started_again(daemon, deployed, client):
    path = deployed(client)
    answer = daemon.request(path + "/exit")
    assert answer.status == 502, answer.text
    assert answer.json["exitCode"] == 3
    eventually(lambda: "leaving now" in daemon.cli("logs", path[1:]).stdout)
    assert daemon.request(path + "/again").status == 201


@pytest.mark.parametrize("client", STREAMING)
def test_a_streamed_answer(daemon, deployed, client):
    path = deployed(client, STREAM="1")
    answer = daemon.request(path + "/parts")
    assert (answer.status, answer.header("content-type")) == (202, "text/x-parts")
    assert answer.text == "part 0\npart 1\npart 2\n"
    large = daemon.request(path + "/large")
    assert len(large.body) == 21 + (8 << 20), "no limit of 6 MiB for what is streamed"


# lambda_runtime 0.13 writes its error trailers into the body, which then ends well.
@pytest.mark.parametrize("client", ["go", "node"])
def test_a_streamed_answer_that_breaks_off(daemon, deployed, client):
    path = deployed(client, STREAM="1")
    with daemon.wire() as wire:
        wire.get(path + "/break")
        if wire.head().status == 202:
            assert b"0\r\n\r\n" not in wire.rest(), "the break is visible"
    assert daemon.request(path + "/parts").status == 202


# --- The Runtime API itself, with curl -------------------------------------------------------------------


def test_the_headers_of_an_invocation(daemon, deployed):
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    answer = daemon.request(deployed("bash") + "/head", headers=trace)
    head = dict(line.split(": ", 1) for line in answer.text.replace("\r", "").lower().split("\n") if ": " in line)
    assert head["lambda-runtime-aws-request-id"] == answer.header("mayfly-invocation")
    assert 15 < int(head["lambda-runtime-deadline-ms"]) / 1000 - time.time() < 25
    assert head["lambda-runtime-invoked-function-arn"].endswith(":function:client-bash:1")
    assert head["lambda-runtime-trace-id"].startswith("root=1-4bf92f35-77b34da6a3ce929d0e0e4736;parent=")
    assert head["content-type"] == "application/json"


def test_who_uses_it_wrongly_is_told(daemon, deployed):
    path = deployed("bash")
    said = dict(line.split(": ", 1) for line in daemon.request(path + "/wrong").text.strip().split("\n"))
    assert said["unknown id"].startswith("400 ") and "InvalidRequestID" in said["unknown id"]
    assert said["init error"].startswith("403 ") and "InvalidStateTransition" in said["init error"]
    assert said["next"].startswith("403 ") and "InvalidStateTransition" in said["next"]
    assert said["path"].startswith("404 ")
    log = eventually(lambda: (text := daemon.cli("logs", path[1:]).stdout) and "error after" in text and text)
    assert re.search(r'response: 202 \{"status":"OK"\}', log), log
    assert re.search(r"again: 403 .*InvalidStateTransition", log), log
    assert re.search(r"error after: 403 .*InvalidStateTransition", log), log


def test_the_limit_of_an_answer_is_that_of_lambda(daemon, deployed):
    path = deployed("bash")
    assert len(daemon.request(path + "/largest").body) == 6_291_556
    assert daemon.request(path + "/large").status == 500
    eventually(lambda: re.search(r"large: 413 .*RequestEntityTooLarge", daemon.cli("logs", path[1:]).stdout))
    assert daemon.request(path + "/after").text == "/after"


def test_answers_that_are_no_json(daemon, deployed):
    answer = daemon.request(deployed("bash") + "/bytes")
    assert (answer.status, answer.header("content-type"), answer.body) == (200, "application/octet-stream", bytes(300_000))


def test_a_stream_without_a_prelude(daemon, deployed):
    answer = daemon.request(deployed("bash") + "/no-prelude")
    assert (answer.status, answer.header("content-type"), answer.text) == (200, "text/x-stream", "streamed")


def test_a_header_with_a_line_break(daemon, deployed):
    answer = daemon.request(deployed("bash") + "/header")
    assert (answer.status, answer.problem) == (502, "urn:mayfly:pool:answer-broken")
    assert answer.header("x-evil") is None


def test_a_signal(daemon, deployed):
    answer = daemon.request(deployed("bash") + "/signal")
    assert (answer.status, answer.json.get("signal")) == (502, "SIGSEGV"), answer.text


def test_a_deadline(daemon, deployed):
    path = deployed("bash")
    daemon.cli("deploy", lambda_clients.SOURCES / "bash", "--name", "hasty", "--set", "timeout=700ms")
    assert daemon.request("/hasty/slow").status == 504
    eventually(lambda: not any("sleep 1005" in command_line(pid) for pid in daemon.children()))
    assert daemon.request("/hasty/after").text == "/after"
    assert daemon.request(path + "/after").text == "/after"


def test_an_init_error_refuses_the_deploy(daemon, deployed):
    deployed("bash")
    folder = lambda_clients.SOURCES / "bash"
    refused = daemon.cli("deploy", folder, "--name", "client-bash", "--set", "env.FAILS_TO_START=1", check=False)
    assert refused.returncode != 0
    assert "Init.Refused: not today" in refused.stdout + refused.stderr
    assert daemon.request("/client-bash/after").text == "/after", "the old version serves on"


def test_an_event_is_given_as_it_is(daemon, tmp_path):
    text = """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while curl -sS --fail -D head.$$ -o body.$$ $api/next; do
  id=$(sed -n 's/\\r$//; s/^lambda-runtime-aws-request-id: //Ip' head.$$)
  curl -sS -o /dev/null --data-binary @body.$$ $api/$id/response
done
""".replace("head.$$", "$head").replace("body.$$", "$body").replace("#!/bin/sh\n", "#!/bin/sh\nhead=$(mktemp) body=$(mktemp)\n")
    (tmp_path / "bootstrap").write_text(text)
    (tmp_path / "bootstrap").chmod(0o755)
    daemon.cli("deploy", tmp_path, "--name", "mirror")
    assert json.loads(daemon.cli("invoke", "mirror", '{"order": [1, 2]}').stdout) == {"order": [1, 2]}


def test_nothing_is_left_of_all_this(daemon):
    """Beside what serves: each instance has its bootstrap, no template has one."""
    def count(what: str) -> int:
        return sum(what in command_line(pid) for pid in daemon.children())
    eventually(lambda: count("sleep 1005") == 0)
