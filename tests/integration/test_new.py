"""What `mayfly new` writes can be deployed as it is, and answers."""

import json
import shutil
import subprocess

import pytest

from support.daemon import BINARY

IN_JSON = ["js", "ts", "lambda", "bootstrap", "python", "python-async", "asgi", "wsgi", "go"]
INSTALLED = ["express", "hono", "fastapi", "starlette", "flask", "django"]  # with packages of a registry
IN_WORDS = ["cpp", "c", "cmake", "shell", "rust"]
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
    assert {each["name"] for each in templates} == {*IN_JSON, *INSTALLED, *IN_WORDS}, "each is deployed above"
    assert all(each["name"] and each["summary"] for each in templates)
    completion = subprocess.run([BINARY, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    assert " ".join(each["name"] for each in templates) in completion
