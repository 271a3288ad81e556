"""Advice from what a real daemon metered; and what --apply makes of a project."""

import concurrent.futures
import json
import tomllib

import pytest

from support.processes import eventually

# Takes so long as it is told to.
WORK = """
export default { async fetch(request) {
  const query = new URL(request.url).searchParams;
  await new Promise((done) => setTimeout(done, Number(query.get("ms") ?? 0)));
  return new Response("done");
} };
"""

PROJECT = """# The shop's functions.
[functions.report]   # made every night
source  = "report.js"
timeout = "200ms"    # should do

[functions.other]
source = "report.js"
"""


def advice(daemon, name, history=False):
    answer = daemon.admin(f"/v1/advice?function={name}{'&history=true' if history else ''}")
    assert answer.status == 200, answer.text
    (function,) = answer.json["functions"]
    assert function["function"] == name
    return function


def rules(daemon, name):
    return {finding["rule"]: finding for finding in advice(daemon, name)["findings"]}


def at_once(daemon, paths):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return [answer.status for answer in pool.map(daemon.request, paths)]


def test_a_function_that_nobody_called(daemon):
    daemon.deploy("unused", WORK)
    (finding,) = advice(daemon, "unused")["findings"]
    assert finding["rule"] == "as-it-is" and "no requests" in finding["summary"]
    assert finding["confidence"] == "low" and any("of history" in one for one in finding["unknown"])


def test_work_that_nobody_waits_for_belongs_into_the_background(daemon):
    """25 events of more than a second each: by what they consume they cost a fraction."""
    daemon.deploy("nightly", WORK)
    for _ in range(25):
        answer = daemon.request("/nightly/?ms=1100", "POST", headers={"prefer": "respond-async"})
        assert answer.status == 202, answer.text

    def all_metered():
        found = rules(daemon, "nightly").get("background")
        return found and found["figures"]["requests"] == 25 and found["figures"]["unattended_share"] == 1

    eventually(all_metered, 90, "25 requests are metered, and that nobody waits for them")
    finding = rules(daemon, "nightly")["background"]
    assert finding["form"] == "background" and finding["change"] == {"key": "class", "value": '"background"'}
    assert finding["figures"]["wall_mean_s"] >= 1.1
    assert 0 < finding["cost_then"] <= 0.9 * finding["cost_now"]


def test_those_who_wait_are_told_apart_from_those_who_do_not(daemon):
    daemon.deploy("awaited", WORK)
    for headers in ({}, {"prefer": "respond-async"}, {}):
        assert daemon.request("/awaited/", "POST", headers=headers).status in (200, 202)

    def buckets():
        return advice(daemon, "awaited", history=True)["input"]["buckets"]

    eventually(lambda: sum(bucket["requests"] for bucket in buckets()) == 3, 30, "three requests are metered")
    eventually(lambda: sum(bucket["unattended"] for bucket in buckets()) == 1, 30, "one of them was an event")


def test_a_new_configuration_begins_a_new_history(daemon):
    daemon.deploy("changed", WORK)
    assert at_once(daemon, ["/changed/"] * 4) == [200] * 4
    assert advice(daemon, "changed")["history"]["requests"] == 4
    daemon.deploy("changed", WORK + "// another text\n")
    assert daemon.request("/changed/").status == 200
    assert advice(daemon, "changed")["history"]["requests"] == 5
    daemon.deploy("changed", WORK, min_instances="1")
    assert advice(daemon, "changed")["history"]["requests"] == 0


def test_unknown_functions_are_told(daemon):
    daemon.deploy("thumbnails", WORK)
    assert daemon.admin("/v1/advice?function=thumbnail").problem == "urn:mayfly:registry:unknown-function"
    failed = daemon.cli("advise", "thumbnail", check=False)
    assert failed.returncode == 1 and "did you mean 'thumbnails'" in failed.stderr


def test_all_functions(daemon):
    daemon.deploy("one-of-all", WORK)
    names = {function["function"] for function in json.loads(daemon.cli("advise", "--json").stdout)["functions"]}
    assert "one-of-all" in names
    text = daemon.cli("advise").stdout
    assert "one-of-all  0 requests" in text and "not known: only" in text


def test_a_daemon_that_meters_nothing(start_daemon):
    daemon = start_daemon("--metering", "off")
    daemon.deploy("hello", WORK)
    assert daemon.admin("/v1/advice").problem == "urn:mayfly:admin:not-metered"


@pytest.fixture(scope="module")
def project(daemon, tmp_path_factory):
    """A function that is mostly too slow for its deadline."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "report.js").write_text(WORK)
    (folder / "mayfly.toml").write_text(PROJECT)
    daemon.cli("deploy", folder)
    answers = at_once(daemon, ["/report/"] * 6 + ["/report/?ms=5000"] * 6)
    assert answers.count(504) >= 6
    eventually(lambda: "longer-than-deadline" in rules(daemon, "report"), 30, "those that were ended are metered")
    return folder


def test_apply_asks_before_it_writes(daemon, project):
    asked = daemon.cli("advise", "report", "--apply", "--project", project, check=False)
    assert asked.returncode == 2 and "say --yes" in asked.stderr
    assert '-timeout = "200ms"    # should do\n+timeout = "600ms"    # should do\n' in asked.stdout
    assert (project / "mayfly.toml").read_text() == PROJECT


def test_apply_changes_one_key_and_the_project_deploys(daemon, project):
    finding = rules(daemon, "report")["longer-than-deadline"]
    assert finding["change"] == {"key": "timeout", "value": '"600ms"'}
    shown = daemon.cli("advise", "report").stdout
    assert "did not end within the deadline of 200 ms" in shown and 'timeout = "600ms"' in shown
    done = daemon.cli("advise", "report", "--apply", "--rule", "longer-than-deadline", "--yes", "--json", "--project", project)
    assert json.loads(done.stdout) == {
        "file": f"{project}/mayfly.toml", "changes": {"timeout": '"600ms"'}, "written": True,
    }
    text = (project / "mayfly.toml").read_text()
    assert text == PROJECT.replace('"200ms"', '"600ms"'), "something else was changed"
    assert tomllib.loads(text)["functions"]["other"] == {"source": "report.js"}
    daemon.cli("deploy", project)
    assert daemon.describe("report")["config"]["timeout"] == "600ms"
    assert "longer-than-deadline" not in rules(daemon, "report"), "that was another configuration"


def test_apply_without_a_project_says_what_to_write(daemon, tmp_path):
    daemon.deploy("loose", WORK, timeout="100ms")
    at_once(daemon, ["/loose/?ms=5000"] * 6)
    eventually(lambda: "longer-than-deadline" in rules(daemon, "loose"), 30, "those that were ended are metered")
    failed = daemon.cli("advise", "loose", "--apply", "--yes", check=False, cwd=tmp_path)
    assert failed.returncode == 1 and '[functions.loose]\n  timeout = "300ms"' in failed.stderr
    assert daemon.cli("advise", "--apply", check=False).returncode == 2


def test_apply_with_nothing_to_change(daemon, project):
    daemon.deploy("fine", WORK)
    done = daemon.cli("advise", "fine", "--apply", "--yes", "--project", project)
    assert "nothing that a key of mayfly.toml would change" in done.stderr
