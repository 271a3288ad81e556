"""What `mayfly new` writes can be deployed as it is, and answers."""

import json
import shlex
import shutil
import subprocess

import pytest

from support.daemon import BINARY

IN_JSON = ["js", "ts", "lambda", "bootstrap", "python", "python-async", "asgi", "wsgi", "go"]
INSTALLED = ["express", "hono", "fastapi", "starlette", "flask", "django"]  # with packages of a registry
IN_WORDS = ["cpp", "c", "cmake", "shell", "rust"]
EVENTS = ["queue", "schedule", "python-queue", "python-schedule"]
NEEDS = {"go": "go", "rust": "cargo", "cmake": "cmake"}


@pytest.mark.parametrize("template", IN_JSON + INSTALLED + IN_WORDS)
def test_a_template_deploys_and_greets(template, daemon, tmp_path):
    if template in NEEDS and shutil.which(NEEDS[template]) is None:
        pytest.skip(f"{NEEDS[template]} is not installed")
    daemon.cli("new", template, cwd=tmp_path)
    daemon.cli("deploy", tmp_path / template, timeout=300)
    answer = daemon.request(f"/{template}?name=Ada")
    assert answer.status == 200, answer.text
    if template not in IN_WORDS:
        assert answer.json["hello"] == "Ada"
    else:
        assert answer.text == "Hello, Ada!\n"


@pytest.mark.parametrize("template", EVENTS)
def test_a_template_for_events_can_be_tried_as_its_readme_says(template, daemon, tmp_path):
    daemon.cli("new", template, cwd=tmp_path)
    daemon.cli("deploy", tmp_path / template)
    assert daemon.describe(template)["config"]["on"]
    command = (tmp_path / template / "README.md").read_text().split("```")[1]
    tried = daemon.cli(*shlex.split(command)[1:])
    if "queue" in template:
        assert (json.loads(tried.stdout), "greeting: hello you" in tried.stderr) == ({}, True), tried
    else:
        assert json.loads(tried.stdout)["due"].startswith("2030-01-01T03:00:00"), tried
        assert '"0 3 * * *" was due at 2030-01-01T03:00:00' in tried.stderr


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.js").write_text("// mine")
    done = subprocess.run([BINARY, "new", "js", "mine"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "not empty" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["index.js"]
    assert (tmp_path / "mine" / "index.js").read_text() == "// mine"


def test_the_list_names_every_template_with_a_line():
    done = subprocess.run([BINARY, "new", "--list", "--json"], capture_output=True, text=True, check=True)
    templates = json.loads(done.stdout)
    assert {each["name"] for each in templates} == {*IN_JSON, *INSTALLED, *IN_WORDS, *EVENTS}, "each is deployed above"
    assert all(each["name"] and each["summary"] for each in templates)
    completion = subprocess.run([BINARY, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    assert " ".join(each["name"] for each in templates) in completion
