"""What functions use: told apart by invocation, kept through a restart, added up, and billed."""

import csv
import io
import re

import pytest

from support.daemon import Daemon
from support.processes import eventually

BURN = """
export default { async fetch(request) {
  const ms = Number(new URL(request.url).searchParams.get("ms") ?? 0);
  const until = process.cpuUsage().user / 1000 + ms;
  while (process.cpuUsage().user / 1000 < until);
  return new Response("done");
} };
"""

THROWS = 'export default { fetch() { throw new Error("no"); } };'

CHILD = """#!/usr/bin/python3
import time
until = time.process_time() + 0.15
while time.process_time() < until:
    pass
print("Content-Type: text/plain\\n\\nburnt")
"""


def rows(daemon, query=""):
    answer = daemon.admin("/v1/usage" + query)
    assert answer.status == 200, answer.text
    return answer.json["rows"]


def usage_of(daemon, name):
    (row,) = rows(daemon, f"?function={name}")
    return row


def records(daemon, name, limit=100):
    answer = daemon.admin(f"/v1/usage/records?function={name}&limit={limit}")
    assert answer.status == 200, answer.text
    return answer.json["records"]


def test_an_invocation_that_was_alone_has_the_cpu_that_it_used(daemon):
    daemon.deploy("alone", BURN, tenant="acme")
    assert daemon.request("/alone/").status == 200
    answer = daemon.request("/alone/?ms=150")
    record = records(daemon, "alone", 1)[0]
    assert record["invocation"] == answer.header("mayfly-invocation")
    assert record["outcome"] == "answered" and record["attempt"] == 1
    assert record["tenant"] == "acme" and record["class"] == "interactive"
    assert record["shared"] is False
    assert 0.14 <= record["cpu_s"] <= record["wall_s"] + 0.02, record
    assert record["bytes_out"] >= len("done") and record["bytes_in"] > 0
    assert record["memory_gib_s"] > 0
    assert record["reserved_gib_s"] == pytest.approx(record["wall_s"] / 8, rel=0.01)
    sums = usage_of(daemon, "alone")
    assert sums["invocations"] == sums["answered"] == 2
    assert sums["instances_started"] >= 1 and sums["init_cpu_s"] > 0


def test_the_children_of_an_executable_are_its_own(daemon):
    daemon.deploy("child", CHILD, file="child.py", runtime="exec")
    for _ in range(3):
        assert daemon.request("/child/").text.strip() == "burnt"
    for record in records(daemon, "child"):
        assert 0.14 <= record["cpu_s"] <= 0.6, record


def test_failures_are_told_apart(daemon):
    daemon.deploy("throws", THROWS)
    daemon.deploy("slow", BURN, timeout="50ms")
    assert daemon.request("/throws/").status == 500
    assert daemon.request("/slow/?ms=300").status == 504
    assert usage_of(daemon, "throws")["failed"] == 1
    eventually(lambda: usage_of(daemon, "slow")["timed_out"] == 1, 10, "the record of the one that was late")
    assert records(daemon, "slow")[0]["outcome"] == "timed-out"


def test_sums_are_kept_apart_as_asked(daemon):
    daemon.deploy("apart-a", BURN, tenant="first")
    daemon.deploy("apart-b", BURN, tenant="second")
    for name in ("apart-a", "apart-a", "apart-b"):
        daemon.request(f"/{name}/")
    by_tenant = {row["tenant"]: row["invocations"] for row in rows(daemon, "?by=tenant")}
    assert by_tenant["first"] == 2 and by_tenant["second"] == 1
    (row,) = rows(daemon, "?by=version,class,minute&function=apart-b")
    assert (row["function"], row["version"], row["class"]) == ("apart-b", 1, "interactive")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z", row["start"])
    assert rows(daemon, "?tenant=first&class=background") == []
    assert rows(daemon, "?tenant=first&from=2020-01-01&to=2020-01-02") == []
    text = daemon.admin("/v1/usage?by=function&tenant=second&format=csv")
    assert text.header("content-type").startswith("text/csv")
    (line,) = csv.DictReader(io.StringIO(text.text))
    assert line["function"] == "apart-b" and line["invocations"] == "1"


def test_what_is_wrong_in_a_question_is_said(daemon):
    daemon.deploy("known", BURN)
    for query, problem in [
        ("?function=nobody", "registry:unknown-function"),
        ("?tenant=nobody", "admin:unknown-tenant"),
        ("?by=colour", "admin:invalid-parameter"),
        ("?by=hour,day", "admin:invalid-parameter"),
        ("?class=slow", "admin:invalid-parameter"),
        ("?from=yesterday", "admin:invalid-parameter"),
        ("?from=2026-05-02&to=2026-05-01", "admin:invalid-parameter"),
        ("?format=xml", "admin:invalid-parameter"),
    ]:
        for route in ("/v1/usage", "/v1/bill"):
            answer = daemon.admin(route + query)
            assert answer.problem == "urn:mayfly:" + problem, (route, query, answer.text)
    assert daemon.admin("/v1/usage/records?limit=10001").problem == "urn:mayfly:admin:invalid-parameter"
    refused = daemon.put("known", BURN, tenant="No One")
    assert refused.status in (400, 422) and "tenant" in refused.text


def test_the_command_line_shows_it(daemon):
    daemon.deploy("shown", BURN, tenant="shop")
    daemon.request("/shown/?ms=5")
    shown = daemon.cli("usage", "shown", "--by", "tenant,function").stdout
    assert "shop" in shown and "CPU" in shown
    assert "answered" in daemon.cli("usage", "shown", "--records").stdout
    bill = daemon.cli("bill", "--by", "tenant,day").stdout
    assert "shop" in bill and re.search(r"^total \S+ USD from ", bill, re.MULTILINE)
    assert daemon.cli("bill", "--csv").stdout.startswith("function,")


def test_usage_outlives_the_daemon_and_a_price_sheet_makes_the_bill(tmp_path):
    sheet = tmp_path / "prices.toml"
    sheet.write_text('currency = "EUR"\nrequest = 0.5\n')
    daemon = Daemon(tmp_path / "data", "--prices", str(sheet)).start()
    try:
        daemon.deploy("kept", BURN)
        for _ in range(4):
            assert daemon.request("/kept/").status == 200
        daemon.stop()
        daemon.start()
        assert usage_of(daemon, "kept")["invocations"] == 4
        daemon.request("/kept/")
        bill = daemon.admin("/v1/bill").json
        assert bill["prices"]["currency"] == "EUR" and bill["prices"]["gib_s"] == 0
        (line,) = bill["lines"]
        assert line["cost"] == bill["total"] == 2.5
    finally:
        daemon.stop()


def test_a_price_sheet_that_is_wrong_keeps_the_daemon_from_starting(tmp_path):
    sheet = tmp_path / "prices.toml"
    sheet.write_text("request = 1\ncpu_s = -3\n")
    daemon = Daemon(tmp_path / "data", "--prices", str(sheet))
    with pytest.raises(Exception):
        daemon.start()
    assert "prices.toml:2: cpu_s must be a price of 0" in daemon.last_words()


def test_nothing_is_kept_where_metering_is_off(tmp_path):
    daemon = Daemon(tmp_path / "data", "--metering", "off").start()
    try:
        daemon.deploy("unmetered", BURN)
        assert daemon.request("/unmetered/").status == 200
        answer = daemon.admin("/v1/usage")
        assert (answer.status, answer.problem) == (409, "urn:mayfly:admin:not-metered")
        assert not (tmp_path / "data" / "usage.db").exists()
    finally:
        daemon.stop()


def test_a_budget_warns_then_stops(tmp_path):
    sheet = tmp_path / "prices.toml"
    sheet.write_text(
        'currency = "EUR"\nrequest = 1\n'
        '[[budgets]]\ntenant = "poor"\nlimit = 4\nwarn = 0.5\nthen = "stop"\n'
        '[[budgets]]\ntenant = "nobody"\nlimit = 1\n'
    )
    daemon = Daemon(tmp_path / "data", "--prices", str(sheet)).start()
    try:
        assert "budget of tenant nobody, which is not there yet" in daemon.last_words()
        daemon.deploy("spender", BURN, tenant="poor")
        daemon.deploy("rich", BURN, tenant="rich")

        def state():
            (budget,) = daemon.describe("spender")["budgets"]
            return budget["state"]

        assert state() == "within"
        for _ in range(2):
            assert daemon.request("/spender/").status == 200
        eventually(lambda: usage_of(daemon, "spender") and state() == "warned", 10, "the warning")
        for _ in range(2):
            assert daemon.request("/spender/").status == 200
        eventually(lambda: usage_of(daemon, "spender") and state() == "spent", 10, "the end of the budget")
        refused = daemon.request("/spender/")
        assert (refused.status, refused.problem) == (402, "urn:mayfly:scheduler:budget-spent"), refused.text
        assert refused.json["limit"] == "4"
        assert daemon.request("/rich/").status == 200
        eventually(lambda: usage_of(daemon, "spender")["rejected"] >= 1, 10, "the refusal is metered")
        for state_told in ("is nearly spent", "is spent"):
            eventually(lambda: f"budget of tenant poor {state_told}" in daemon.last_words(), 10, state_told)

        def told():
            return {topic["topic"]: topic["newest"] for topic in daemon.admin("/v1/topics").json["topics"]}.get("mayfly.budget")

        eventually(lambda: told() == 2, 10, "both events")
        assert "tenant poor" in daemon.cli("usage").stdout and "spent" in daemon.cli("describe", "spender").stdout
        daemon.restart()
        eventually(lambda: daemon.request("/spender/").status == 402, 10, "the budget after a restart")
    finally:
        daemon.stop()


def test_a_budget_throttles(tmp_path):
    sheet = tmp_path / "prices.toml"
    sheet.write_text('request = 1\n[[budgets]]\nfunction = "slowed"\nlimit = 1\nthen = "throttle"\nrate = "1/h"\n')
    daemon = Daemon(tmp_path / "data", "--prices", str(sheet)).start()
    try:
        daemon.deploy("slowed", BURN)
        assert daemon.request("/slowed/").status == 200
        eventually(lambda: usage_of(daemon, "slowed") and daemon.describe("slowed")["budgets"][0]["state"] == "spent", 10, "the end")
        assert daemon.request("/slowed/").status == 200, "one an hour"
        refused = daemon.request("/slowed/")
        assert (refused.status, refused.problem) == (429, "urn:mayfly:scheduler:budget-throttled")
        assert int(refused.header("retry-after")) > 3000
    finally:
        daemon.stop()


def test_a_budget_that_stops_goes_before_one_that_throttles(tmp_path):
    sheet = tmp_path / "prices.toml"
    sheet.write_text(
        'request = 1\n[[budgets]]\nfunction = "both"\nlimit = 1\nthen = "throttle"\nrate = "1000000/s"\n'
        '[[budgets]]\ntenant = "poor"\nlimit = 1\nthen = "stop"\n'
    )
    daemon = Daemon(tmp_path / "data", "--prices", str(sheet)).start()
    try:
        daemon.deploy("both", BURN, tenant="poor")
        assert daemon.request("/both/").status == 200
        eventually(lambda: daemon.request("/both/").status == 402, 10, "the end of both")
    finally:
        daemon.stop()
