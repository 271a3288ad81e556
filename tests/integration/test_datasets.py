"""Datasets: made, loaded again under load, refused, and there after a restart."""

import json
import subprocess

import pytest

from support.daemon import BINARY
from support.load import Load
from support.processes import eventually

PYTHON = """
import time
def handler(event, context):
    log = context.datasets["log"]
    if event["rawPath"] == "/slow":
        time.sleep(1.5)
    return {"statusCode": 200, "body": bytes(log).decode()}
"""
NODE = """
export default { fetch(request, env) {
  return new Response(new Uint8Array(env.datasets['log']));
} };
"""


@pytest.fixture
def platform(start_daemon):
    """A daemon of its own for each test: they use the same names."""
    return start_daemon()


@pytest.fixture
def logs(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "b.log").write_text("two\n")
    (folder / "a.log").write_text("one\n")
    return folder


def create(daemon, name, logs, *more, check=True):
    return daemon.cli("dataset", "create", name, "--from", f"{logs}/*.log", *more, check=check)


def describe(daemon, name):
    return json.loads(daemon.cli("dataset", "describe", name, "--json").stdout)


@pytest.mark.parametrize("file, code", [("f.py", PYTHON), ("f.mjs", NODE)])
def test_a_function_sees_what_it_lists_and_the_next_generation_after_it(platform, logs, file, code):
    made = create(platform, "log", logs)
    assert "log is loaded: 8 bytes, generation 1" in made.stdout, made.stdout
    name = "reads-" + file.split(".")[1]
    platform.deploy(name, code, file, datasets="log")
    assert platform.request(f"/{name}").text == "one\ntwo\n"
    (logs / "c.log").write_text("three\n")
    with Load(platform.url + f"/{name}", threads=2) as load:
        load.wait_for(20)
        again = platform.cli("dataset", "refresh", "log")
        assert f"{name}@1 has it" in again.stdout, again.stdout
        assert platform.request(f"/{name}").text == "one\ntwo\nthree\n"
        load.wait_for(20)
    assert set(load.outcomes) <= {(200, "one\ntwo\n"), (200, "one\ntwo\nthree\n")}, load.outcomes
    files = describe(platform, "log")["files"]
    assert [(one["name"].rsplit("/")[-1], one["offset"], one["size"]) for one in files] == [("a.log", 0, 4), ("b.log", 4, 4), ("c.log", 8, 6)]


def test_what_runs_keeps_its_generation(platform, logs):
    create(platform, "log", logs)
    platform.deploy("keeps", PYTHON, "f.py", datasets="log", concurrency="1")
    assert platform.request("/keeps").status == 200
    with Load(platform.url + "/keeps/slow", threads=1) as slow:
        eventually(lambda: json.loads(platform.cli("describe", "keeps", "--json").stdout)["live"]["busy"] == 1, what="it runs")
        (logs / "a.log").write_text("changed\n")
        platform.cli("dataset", "refresh", "log")
        assert platform.request("/keeps").text == "changed\ntwo\n"
        slow.wait_for(1)
    assert (200, "one\ntwo\n") in slow.outcomes, slow.outcomes


def test_it_is_loaded_again_when_its_files_change(platform, logs):
    create(platform, "log", logs, "--watch")
    platform.deploy("watches", PYTHON, "f.py", datasets="log")
    (logs / "a.log").write_text("now\n")
    eventually(lambda: platform.request("/watches").text == "now\ntwo\n", what="the next generation")
    for one in logs.iterdir():
        one.unlink()
    eventually(lambda: "failure" in describe(platform, "log"), what="the failure is told")
    assert platform.request("/watches").text == "now\ntwo\n", "the old one serves on"
    listed = platform.cli("dataset", "list")
    assert "there is no such file" in listed.stderr, listed.stderr
    (logs / "a.log").write_text("back\n")
    eventually(lambda: platform.request("/watches").text == "back\n", what="it has recovered")


def test_it_comes_from_standard_input_and_is_there_after_a_restart(platform):
    subprocess.run([BINARY, "dataset", "create", "log", "--from", "-"], input=b"\x00\xffbytes", env=platform.environment(), check=True, capture_output=True)
    platform.deploy("kept", NODE, "f.mjs", datasets="log")
    assert platform.request("/kept").body == b"\x00\xffbytes"
    platform.restart()
    assert platform.request("/kept").body == b"\x00\xffbytes"


def test_what_cannot_be_is_refused_and_says_why(platform, logs):
    answer = platform.put("unknown", PYTHON, "f.py", datasets="nothing-there")
    assert answer.status == 422 and "mayfly dataset create nothing-there" in answer.json["detail"], answer.text
    create(platform, "log", logs)
    platform.deploy("lists", PYTHON, "f.py", datasets="log")
    refused = platform.cli("dataset", "delete", "log", check=False)
    assert refused.returncode != 0 and "listed by lists@1" in refused.stderr, refused.stderr
    for arguments, why in [
        (["--from", f"{platform.folder}/admin-token"], "lies in the data folder"),
        (["--from", f"{logs}/none.log"], "No such file"),
        (["--from", f"{logs}/*.none"], "there is no such file"),
        ([], "from where?"),
        (["--from", f"{logs}/a.log", "--every", "often"], "every must be a duration"),
    ]:
        refused = platform.cli("dataset", "create", "other", *arguments, check=False)
        assert refused.returncode != 0 and why in refused.stderr, (arguments, refused.stderr)
    assert platform.cli("dataset", "list", "--json").stdout.count('"other"') == 0
    refused = platform.cli("dataset", "delete", "logs", check=False)
    assert "did you mean 'log'?" in refused.stderr, refused.stderr
    answer = platform.admin("/v1/datasets/empty", "PUT", body=b"")
    assert answer.status == 422 and "the body is empty" in answer.json["detail"], answer.text
    assert platform.request("/lists").text == "one\ntwo\n"


def test_all_together_stay_within_their_budget(start_daemon, logs):
    daemon = start_daemon("--dataset-budget", "1MiB")
    (logs / "a.log").write_bytes(b"x" * (700 << 10))
    create(daemon, "log", logs)
    refused = create(daemon, "second", logs, check=False)
    assert refused.returncode != 0 and "there is room for" in refused.stderr, refused.stderr
    assert daemon.admin("/v1/datasets").json["used_bytes"] == (700 << 10) + 4


def test_a_token_that_may_deploy_reads_no_files_of_the_machine(platform, logs):
    token = json.loads(platform.cli("token", "create", "deployer", "--scope", "deploy", "--json").stdout)["token"]
    headers = {"authorization": f"Bearer {token}"}
    body = json.dumps({"from": [str(logs / "a.log")]}).encode()
    answer = platform.admin("/v1/datasets/sly/source", "PUT", headers=headers, body=body)
    assert answer.status == 403, answer.text
    answer = platform.admin("/v1/datasets/own", "PUT", headers=headers, body=b"mine")
    assert answer.status == 201, answer.text
