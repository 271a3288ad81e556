"""Pipelines: steps one after another, over lists, by choice; waiting, undoing; over crashes."""

import json
import time

import pytest

from support.daemon import REPOSITORY
from support.processes import eventually

STEPS = """
export const add = async (event) => ({ sum: (event.sum ?? 0) + event.n, n: event.n });
export const twice = async (n) => n * 2;
export const fail = async () => { throw new Error("it is broken"); };
export const note = async (event) => { console.log(JSON.stringify(event)); return event; };
"""
SLOW = """
let go;
const told = new Promise((resolve) => { go = resolve; });
export default async (event) => {
  if (event.go) return go();
  console.log("it has begun");
  await told;
  return "done";
};
"""
FUNCTIONS = "".join(
    f'[functions.p-{name}]\nsource = "steps.mjs"\nhandler = "steps.{name}"\n' for name in ["add", "twice", "fail", "note"])


def deploy(daemon, folder, pipelines: str, code: str = STEPS, functions: str = FUNCTIONS):
    folder.mkdir(exist_ok=True)
    (folder / "steps.mjs").write_text(code)
    (folder / "mayfly.toml").write_text(functions + pipelines)
    return daemon.cli("deploy", folder)


def start(daemon, pipeline: str, value=None, **more):
    answer = daemon.admin(f"/v1/pipelines/{pipeline}/runs", "POST", body=json.dumps(value).encode(), **more)
    assert answer.status == 202, answer.text
    return answer.json["run"]


def run_of(daemon, run: str) -> dict:
    answer = daemon.admin(f"/v1/runs/{run}?data=true")
    assert answer.status == 200, answer.text
    return answer.json


def until(daemon, run: str, wanted, timeout: float = 30) -> dict:
    """The run, once it is as wanted: in one of these states, or as a function says."""
    deadline = time.monotonic() + timeout
    while True:
        now = run_of(daemon, run)
        if wanted(now) if callable(wanted) else now["state"] in wanted:
            return now
        assert time.monotonic() < deadline, json.dumps(now, indent=1)
        time.sleep(0.02)


def end_of(daemon, run: str) -> dict:
    return until(daemon, run, ("succeeded", "failed", "cancelled"))


def logged(daemon, function: str, run: str) -> list[dict]:
    """What it has logged of this run."""
    lines = [json.loads(line)["text"] for line in daemon.admin(f"/v1/functions/{function}/logs?tail=1000").text.splitlines() if line]
    found = [json.loads(text) for text in lines if text.startswith("{")]
    return [one for one in found if one.get("run") == {"id": run, "pipeline": run_of(daemon, run)["pipeline"]}]


def waits(step: str):
    return lambda run: any(one["step"] == step and one["state"] == "waiting" for one in run["steps"])


def outputs(run: dict) -> dict:
    return {step["step"]: step["output"] for step in run["steps"] if "output" in step}


def step(name: str, **keys) -> str:
    """[[steps]] of a pipeline that is called after its test."""
    lines = "".join(f"{key} = {text}\n" for key, text in keys.items())
    return f'[[pipelines.NAME.steps]]\nname = "{name}"\n{lines}'


@pytest.fixture
def deployed(daemon, tmp_path, request):
    """Deploys a pipeline of steps; gives its name."""
    def take(*steps: str, head: str = "") -> str:
        name = request.node.name.removeprefix("test_").replace("_", "-")[:50]
        deploy(daemon, tmp_path / "app", f"[pipelines.{name}]\n{head}" + "".join(steps).replace("NAME", name))
        return name
    return take


def test_each_step_gets_what_the_one_before_gave(daemon, deployed):
    name = deployed(step("first", function='"p-add"'), step("second", function='"p-add"'),
                    step("third", function='"p-note"', input='{ first = "$.steps.first.sum", run = "$.run.id" }'))
    run = end_of(daemon, start(daemon, name, {"n": 3}))
    assert run["state"] == "succeeded", run
    given = outputs(run)
    assert given["first"] == {"sum": 3, "n": 3} and given["second"] == {"sum": 6, "n": 3}
    assert given["third"]["first"] == 3 and given["third"]["run"] == run["id"]
    assert [one["state"] for one in run["steps"]] == ["succeeded"] * 3


def test_a_step_is_called_for_each_element_and_the_outputs_are_joined_in_order(daemon, deployed):
    name = deployed(step("all", function='"p-twice"', each='"$.input.list"', concurrency=4), step("joined", function='"p-note"'))
    run = end_of(daemon, start(daemon, name, {"list": list(range(50))}))
    assert outputs(run)["joined"] == [2 * n for n in range(50)]
    assert run["steps"][0]["items"] == 50 and run["steps"][0]["done"] == 50


def test_a_field_decides_where_it_goes_on(daemon, deployed):
    name = deployed(step("which", branch='"$.input.kind"', cases='{ a = "first", b = "second" }', default='"end"'),
                    step("first", function='"p-twice"', input='"$.input.n"', next='"end"'), step("second", function='"p-note"'))
    for kind, ran in [("a", ["which", "first"]), ("b", ["which", "second"]), ("c", ["which"])]:
        run = end_of(daemon, start(daemon, name, {"kind": kind, "n": 4}))
        assert run["state"] == "succeeded" and [one["step"] for one in run["steps"]] == ran


def test_what_was_done_is_undone_the_latest_first(daemon, deployed):
    name = deployed(step("one", function='"p-add"', undo='"p-note"'), step("two", function='"p-add"', undo='"p-note"'),
                    step("bad", function='"p-fail"', attempts=2, backoff='"10ms"'))
    run = end_of(daemon, start(daemon, name, {"n": 1}))
    assert run["state"] == "failed" and run["compensated"] is True
    assert run["error"]["step"] == "bad" and "it is broken" in run["error"]["message"]
    assert [one["step"] for one in run["steps"] if "undoes" in one] == ["two", "one"]
    lines = eventually(lambda: len(found := logged(daemon, "p-note", run["id"])) == 2 and found, 30)
    assert [one["output"]["sum"] for one in lines] == [2, 1] and "it is broken" in lines[0]["error"]["message"]
    shown = daemon.cli("pipeline", "show", run["id"]).stdout
    assert "what it had done is undone" in shown and "✗" in shown and "undoes two" in shown, shown
    history = daemon.admin(f"/v1/invocations/{run['steps'][2]['delivery']}").json["history"]
    assert len(history) == 2, history


def test_a_failure_can_lead_to_another_step(daemon, deployed):
    name = deployed(step("bad", function='"p-fail"', attempts=1, on_error='"other"', next='"end"'),
                    step("other", function='"p-note"', input='{ why = "$.error.message", where = "$.error.step" }'))
    run = end_of(daemon, start(daemon, name))
    assert run["state"] == "succeeded"
    assert outputs(run)["other"]["where"] == "bad" and "it is broken" in outputs(run)["other"]["why"]


def test_a_step_waits_for_an_event_and_an_event_for_its_step(daemon, deployed):
    name = deployed(step("first", await_='"go"').replace("await_", "await"), step("second", await_='"on"').replace("await_", "await"),
                    head='access = "public"\n')
    begun = daemon.request(f"/pipelines/{name}", "POST", body=b"{}")
    assert begun.status == 202 and begun.header("location") == f"/pipelines/{name}/runs/{begun.json['run']}"
    where = begun.header("location")
    assert daemon.request(f"{where}/events/on", "POST", body=b"early").status == 202
    assert daemon.request(f"{where}/events/other", "POST", body=b"x").status == 404
    assert daemon.request(f"{where}/events/go", "POST", body=b'{"a": 1}').status == 202
    run = end_of(daemon, begun.json["run"])
    assert outputs(run) == {"first": {"a": 1}, "second": "early"}
    assert daemon.request(f"{where}/events/go", "POST", body=b"late").status == 409
    seen = daemon.request(where).json
    assert seen["state"] == "succeeded" and "delivery" not in json.dumps(seen)


def test_nobody_came_in_time(daemon, deployed):
    name = deployed(step("first", timeout='"1s"', on_error='"late"', **{"await": '"go"'}),
                    step("late", function='"p-note"', input='{ type = "$.error.type" }'))
    run = end_of(daemon, start(daemon, name))
    assert run["state"] == "succeeded" and outputs(run)["late"]["type"].endswith("pipelines:timed-out"), run


def test_cancelled_it_is_undone_and_over(daemon, deployed):
    name = deployed(step("one", function='"p-add"', undo='"p-note"'), step("long", wait='"30d"'))
    run = start(daemon, name, {"n": 1})
    until(daemon, run, waits("long"))
    daemon.cli("pipeline", "cancel", run)
    ended = end_of(daemon, run)
    assert ended["state"] == "cancelled" and ended["compensated"] is True
    assert daemon.cli("pipeline", "cancel", run, check=False).returncode != 0


def test_a_call_that_is_under_way_when_a_run_is_cancelled_is_heard_and_undone(daemon, deployed):
    daemon.deploy("p-slow", SLOW, file="index.mjs", handler="default", max_instances="1", concurrency="2")
    name = deployed(step("one", function='"p-slow"', undo='"p-note"'))
    run = start(daemon, name, {})
    eventually(lambda: "it has begun" in daemon.admin("/v1/functions/p-slow/logs?tail=1000").text, 30)
    daemon.cli("pipeline", "cancel", run)
    assert run_of(daemon, run)["state"] == "compensating"
    daemon.cli("invoke", "p-slow", '{"go": true}')
    ended = end_of(daemon, run)
    assert ended["state"] == "cancelled" and ended["compensated"] is True, ended
    assert [(one["step"], one["state"]) for one in ended["steps"]] == [("one", "succeeded"), ("one", "succeeded")]
    assert [one["output"] for one in logged(daemon, "p-note", run)] == ["done"]


def test_what_is_tried_again_says_why_and_when(daemon, deployed):
    again = {"attempts": 5, "backoff": '"1h"', "backoff_max": '"1h"'}
    name = deployed(step("bad", function='"p-fail"', **again))
    run = start(daemon, name, {"n": 1})
    one = until(daemon, run, lambda run: "next_attempt" in run["steps"][0])["steps"][0]
    assert (one["state"], one["attempt"], one["attempts"]) == ("running", 1, 5)
    assert "it is broken" in one["last_failure"]["message"]
    shown = daemon.cli("pipeline", "show", run).stdout
    assert "attempt 1 of 5 has failed" in shown and "it is broken" in shown and "the next at" in shown, shown
    daemon.cli("pipeline", "cancel", run)


def test_what_was_meant_as_json_is_not_taken_for_text(daemon, deployed):
    name = deployed(step("one", function='"p-note"'), head='access = "public"\n')
    for broken in ['{"n": 1', "[1", '"text']:
        refused = daemon.cli("pipeline", "start", name, broken, check=False)
        assert refused.returncode != 0 and "begins like JSON" in refused.stderr, refused.stderr
        for ask in (daemon.request, daemon.admin):
            path = f"/pipelines/{name}" if ask == daemon.request else f"/v1/pipelines/{name}/runs"
            answer = ask(path, "POST", body=broken.encode(), headers={"content-type": "application/json"})
            assert (answer.status, answer.json["type"]) == (400, "urn:mayfly:intake:bad-request"), answer.text
            assert ask(path, "POST", body=broken.encode(), headers={"content-type": "text/plain"}).status == 202
    run = daemon.cli("pipeline", "start", name, "plain text").stdout.strip()
    assert outputs(end_of(daemon, run))["one"] == "plain text"
    long = daemon.admin(f"/v1/pipelines/{name}/runs", "POST", body=b"1", headers={"idempotency-key": "k" * 256})
    assert long.status == 400, long.text


def test_a_failed_run_goes_on_where_it_failed(daemon, deployed, tmp_path):
    name = deployed(step("one", function='"p-add"'), step("bad", function='"p-fail"', attempts=1))
    run = start(daemon, name, {"n": 1})
    assert end_of(daemon, run)["state"] == "failed"
    daemon.deploy("p-fail", "export default async (event) => ({ mended: event.sum });", file="index.mjs", handler="default")
    daemon.cli("pipeline", "retry", run)
    ended = end_of(daemon, run)
    assert ended["state"] == "succeeded" and outputs(ended)["bad"] == {"mended": 1}
    assert [one["step"] for one in ended["steps"]] == ["one", "bad", "bad"]


def test_the_same_key_gives_the_same_run_and_another_payload_is_refused(daemon, deployed):
    name = deployed(step("only", function='"p-add"'))
    first = start(daemon, name, {"n": 1}, headers={"idempotency-key": "k"})
    assert start(daemon, name, {"n": 1}, headers={"idempotency-key": "k"}) == first
    other = daemon.admin(f"/v1/pipelines/{name}/runs", "POST", body=b'{"n": 2}', headers={"idempotency-key": "k"})
    assert other.status == 422, other.text
    assert len(daemon.admin(f"/v1/pipelines/{name}/runs").json["runs"]) == 1


def test_events_of_a_topic_start_runs(daemon, deployed):
    name = deployed(f'[[pipelines.NAME.on]]\ntopic = "pipe-events"\nfilter = {{ type = "good" }}\n', step("only", function='"p-add"'))
    for kind, n in [("bad", 1), ("good", 2)]:
        daemon.cli("topic", "publish", "pipe-events", json.dumps({"n": n}), "--type", kind)
    runs = eventually(lambda: daemon.admin(f"/v1/pipelines/{name}/runs?state=succeeded").json["runs"], 30)
    assert [outputs(run_of(daemon, one["id"]))["only"]["sum"] for one in runs] == [2]


def test_who_may_start_a_run(daemon, deployed):
    name = deployed(step("only", function='"p-add"'))
    assert daemon.request(f"/pipelines/{name}", "POST", body=b"{}").status == 401
    key = daemon.admin("/v1/keys", "POST", json={"name": "starter", "functions": [f"pipelines/{name}"]}).json["key"]
    assert daemon.request(f"/pipelines/{name}", "POST", body=b'{"n": 1}', headers={"x-api-key": key}).status == 202
    assert daemon.request("/pipelines/other", "POST", body=b"{}", headers={"x-api-key": key}).status in (401, 403)


@pytest.mark.parametrize("change, complaint", [
    ('name = "a"\nfunction = "x"\nnext = "b"', "next"),
    ('name = "a"\nfunction = "x"\nwait = "1s"', "wait"),
    ('name = "a"\nfunctoin = "x"', "function"),
    ('name = "a"\nbranch = "$.["\ncases = { x = "end" }', "branch"),
    ('name = "a"\nfunction = "x"\nattempts = 0', "attempts"),
])
def test_a_wrong_pipeline_is_refused_with_what_is_wrong(daemon, tmp_path, change, complaint):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "hello.js").write_text('export default () => new Response("hi");')
    (folder / "mayfly.toml").write_text(f'[functions.p-hello]\nsource = "hello.js"\n[[pipelines.wrong.steps]]\n{change}\n')
    done = daemon.cli("deploy", folder, check=False)
    assert done.returncode != 0 and complaint in done.stderr, done.stderr
    assert daemon.admin("/v1/pipelines/wrong").status == 404


def test_a_crash_at_any_moment_loses_no_run_and_no_step(start_daemon, tmp_path):
    daemon = start_daemon()
    body = "".join(step(f"s{i}", function='"p-add"') for i in range(6)) + step("all", function='"p-twice"', each='"$.input.list"')
    deploy(daemon, tmp_path / "app", "[pipelines.crash]\n" + body.replace("NAME", "crash"))
    runs = []
    for _ in range(4):
        runs += [start(daemon, "crash", {"n": 1, "list": [1, 2, 3]}) for _ in range(10)]
        daemon.kill()
        daemon.start()
    for run in runs:
        ended = end_of(daemon, run)
        assert ended["state"] == "succeeded", ended
        assert outputs(ended)["s5"]["sum"] == 6 and outputs(ended)["all"] == [2, 4, 6]
        assert [one["step"] for one in ended["steps"]] == [f"s{i}" for i in range(6)] + ["all"]


def test_a_deleted_pipeline_starts_no_run_and_ends_none(start_daemon, tmp_path):
    daemon = start_daemon()
    deploy(daemon, tmp_path / "app", '[pipelines.gone]\n' + (step("first", **{"await": '"go"'}) + step("then", function='"p-note"')).replace("NAME", "gone"))
    run = start(daemon, "gone")
    until(daemon, run, waits("first"))
    daemon.cli("pipeline", "delete", "gone")
    assert daemon.admin("/v1/pipelines/gone/runs", "POST", body=b"{}").status == 404
    daemon.restart()
    assert daemon.request(f"/pipelines/gone/runs/{run}/events/go", "POST", body=b"1").status == 202
    eventually(lambda: daemon.request(f"/pipelines/gone/runs/{run}").json["state"] == "succeeded", 30)


def test_a_new_user_signs_up(start_daemon, tmp_path):
    """The example, with a real mail server; its three days are a second here."""
    from support.mail import MailServer
    daemon = start_daemon()
    example = REPOSITORY / "examples/sign-up"
    with MailServer() as mail:
        (tmp_path / "sign_up.py").write_text((example / "sign_up.py").read_text())
        (tmp_path / "mayfly.toml").write_text((example / "mayfly.toml").read_text()
                                              .replace("127.0.0.1:1025", f"127.0.0.1:{mail.port}").replace('wait = "3d"', 'wait = "1s"'))
        daemon.cli("deploy", tmp_path)
        begun = daemon.request("/pipelines/sign-up", "POST", json={"email": "ada@example.org", "name": "Ada"}).json
        to, subject, text = mail.letter(0)
        assert to == "ada@example.org" and subject == "Your code"
        code = text.rstrip(".").split()[-1]
        assert code not in json.dumps(run_of(daemon, begun["run"])), "what steps give is kept"
        wrong = f"{(int(code) + 1) % 10**6:06}"
        until(daemon, begun["run"], waits("typed"))
        assert daemon.request(f"{begun['url']}/events/code", "POST", json={"code": wrong}).status == 202
        until(daemon, begun["run"], lambda run: sum(one["step"] == "typed" for one in run["steps"]) == 2 and waits("typed")(run))
        daemon.kill()
        daemon.start()
        mail.refuses = True  # for a while: it is tried again
        assert daemon.request(f"{begun['url']}/events/code", "POST", json={"code": code}).status == 202
        until(daemon, begun["run"], lambda run: run["steps"][-1]["step"] != "typed" and any(
            one["step"] == "welcome" and daemon.admin(f"/v1/invocations/{one['delivery']}").json["attempts"] > 0
            for one in run["steps"] if "delivery" in one))
        mail.refuses = False
        assert mail.letter(1)[1] == "Welcome"
        assert mail.letter(2)[1] == "How is it going?"
        ended = end_of(daemon, begun["run"])
        assert ended["state"] == "succeeded" and [one["state"] for one in ended["steps"]] == ["succeeded"] * len(ended["steps"])
        assert len(mail.letters) == 3


def test_without_an_address_the_sign_up_fails_at_once(start_daemon, tmp_path):
    daemon = start_daemon()
    daemon.cli("deploy", REPOSITORY / "examples/sign-up")
    run = daemon.request("/pipelines/sign-up", "POST", json={"email": "nobody"}).json["run"]
    ended = end_of(daemon, run)
    assert ended["state"] == "failed" and ended["error"]["step"] == "address"
    assert daemon.admin(f"/v1/invocations/{ended['steps'][0]['delivery']}").json["attempts"] == 1
