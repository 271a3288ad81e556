"""The command line: verbs, --json, suggestions, where the daemon is found."""

import json
import os
import subprocess

import pytest

from support.daemon import BINARY

HELLO = 'export default { fetch: () => new Response("hello") };\n'


@pytest.fixture(scope="module")
def ready(daemon, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    for number in (1, 2):
        (folder / "hello.js").write_text(HELLO.replace("hello", f"hello {number}"))
        daemon.cli("deploy", folder / "hello.js")
    daemon.request("/hello")
    return daemon


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"], ["describe", "hello"], ["versions", "hello"], ["traffic", "hello"], ["logs", "hello"], ["doctor"],
    ],
)
def test_verbs_print_for_people_and_for_programs(ready, arguments):
    text = ready.cli(*arguments)
    assert text.stdout.strip() or arguments[0] == "logs"
    assert "\033[" not in text.stdout, "colour although nobody looks"
    document = ready.cli(*arguments, "--json").stdout
    for line in document.splitlines() if arguments[0] == "logs" else [document]:
        json.loads(line)


def test_deploy_with_json(ready, tmp_path):
    (tmp_path / "other.js").write_text(HELLO)
    answer = json.loads(ready.cli("deploy", tmp_path / "other.js", "--json").stdout)
    answer = answer[0] if isinstance(answer, list) else answer
    assert (answer["name"], answer["version"]) == ("other", 1)
    assert answer["url"] == f"{ready.url}/other"


def test_the_data_folder_alone_says_where_the_daemon_is(ready):
    environment = {**os.environ, "MAYFLY_DATA": str(ready.folder)}
    done = subprocess.run([BINARY, "list", "--names"], env=environment, capture_output=True, text=True)
    assert (done.returncode, "hello" in done.stdout) == (0, True), done.stderr


def test_a_deployment_that_leaves_something_out_is_told(ready, tmp_path):
    (tmp_path / "closed.js").write_text(HELLO)
    ready.cli("deploy", tmp_path / "closed.js", "--set", "access=key", "--set", "network=none")
    refused = ready.cli("deploy", tmp_path / "closed.js", check=False)
    assert refused.returncode == 1 and "--set access=key" in refused.stderr, refused.stderr
    assert ready.request("/closed").status == 401
    kept = ready.cli("deploy", tmp_path / "closed.js", "--set", "access=key")
    assert "network  none -> outbound" in kept.stderr and "--set network=none" in kept.stderr
    assert "(was closed@1)" in kept.stdout
    ready.cli("deploy", tmp_path / "closed.js", "--set", "access=public")
    assert ready.request("/closed").status == 200


def test_invoke_prints_the_answer(ready):
    assert ready.cli("invoke", "hello").stdout.strip() == "hello 2"
    assert ready.cli("invoke", "hello@1").stdout.strip() == "hello 1"


def test_invoke_of_a_function_that_throws_shows_the_stack_and_fails(ready, tmp_path):
    (tmp_path / "boom.js").write_text("export default {\n  fetch() {\n    throw new Error('boom');\n  },\n};\n")
    ready.cli("deploy", tmp_path / "boom.js")
    done = ready.cli("invoke", "boom", check=False)
    assert done.returncode != 0
    assert "boom" in done.stderr and "boom.js:3" in done.stderr, done.stderr


def test_describe_shows_triggers(ready, tmp_path):
    (tmp_path / "mayfly.toml").write_text(
        '[functions.wakes]\nsource = "hello.js"\n'
        '[functions.wakes.async]\nattempts = 9\n'
        '[[functions.wakes.on]]\ntopic = "image.uploaded"\nfilter = { type = ["image.*", "!image.tmp"] }\nbatch = 10\n'
        '[[functions.wakes.on]]\nschedule = "0 3 * * *"\ntimezone = "Europe/Berlin"\n'
    )
    (tmp_path / "hello.js").write_text(HELLO)
    ready.cli("deploy", tmp_path)
    config = json.loads(ready.cli("describe", "wakes", "--json").stdout)["config"]
    assert config["on"][0]["filter"] == {"type": ["image.*", "!image.tmp"]}
    assert config["on"][1]["timezone"] == "Europe/Berlin"
    lines = ready.cli("describe", "wakes").stdout.splitlines()
    topic = next(line for line in lines if "topic image.uploaded" in line)
    assert "type: image.*, !image.tmp" in topic and "batch 10" in topic
    assert any("schedule 0 3 * * *" in line and "Europe/Berlin" in line for line in lines)
    assert any(line.split()[:1] == ["async"] and "attempts 9" in line for line in lines)

    done = ready.cli("deploy", tmp_path / "hello.js", "--set", "on.schedule=0 25 * * *", check=False)
    assert done.returncode != 0
    assert "on.schedule: hour: '25' is not in 0 to 23" in done.stderr


def test_a_mistyped_name_gets_a_suggestion(ready):
    done = ready.cli("describe", "helo", check=False)
    assert done.returncode != 0
    assert "hello" in done.stderr
    done = ready.cli("depoly", "x", check=False)
    assert done.returncode != 0
    assert "deploy" in done.stdout + done.stderr


def test_help_of_every_verb():
    help_text = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
    for verb in "serve dev new deploy invoke list describe delete versions rollback traffic logs invocation topic queue dlq schedule doctor".split():
        assert verb in help_text
        done = subprocess.run([BINARY, verb, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and verb in done.stdout


def test_version():
    done = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_the_shell_takes(shell, tmp_path):
    done = subprocess.run([BINARY, "completion", shell], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "deploy" in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


def test_new_makes_a_project_that_deploys(ready, tmp_path):
    ready.cli("new", "fresh", cwd=tmp_path)
    assert (tmp_path / "fresh").is_dir()
    ready.cli("deploy", tmp_path / "fresh")
    assert ready.request("/fresh").status == 200


def test_a_daemon_that_is_not_there_is_named(tmp_path):
    environment = {**os.environ, "MAYFLY_ADMIN": "http://127.0.0.1:1", "MAYFLY_TOKEN": "x"}
    done = subprocess.run([BINARY, "list"], env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "127.0.0.1:1" in done.stderr


def test_a_wrong_token_is_named(ready):
    environment = {**ready.environment(), "MAYFLY_TOKEN": "wrong"}
    done = subprocess.run([BINARY, "list"], env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "token" in done.stderr.lower()


def test_the_token_is_found_in_the_data_folder(ready):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAYFLY_")}
    done = subprocess.run(
        [BINARY, "list", "--data", ready.folder, "--admin-url", ready.admin_url],
        env=environment, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout


def test_delete_asks_or_is_told(ready, tmp_path):
    (tmp_path / "doomed.js").write_text(HELLO)
    ready.cli("deploy", tmp_path / "doomed.js")
    ready.cli("delete", "doomed", "--yes")
    assert ready.request("/doomed").status == 404
