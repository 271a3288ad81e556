"""Versions, rollback, traffic, aliases, delete."""

from collections import Counter

import pytest


def source(text) -> str:
    return f'export default {{ fetch: () => new Response("{text}") }};\n'


def versions(daemon, name: str) -> list[int]:
    return sorted(version["version"] for version in daemon.admin(f"/v1/functions/{name}/versions").json["versions"])


@pytest.fixture(scope="module")
def three(daemon):
    """deploy_three(name): versions 1, 2 and 3, which answer with their number."""

    def deploy(name: str) -> str:
        for number in (1, 2, 3):
            assert daemon.deploy(name, source(number))["version"] == number
        return name

    return deploy


def test_versions_are_counted_up_and_kept(daemon, three):
    three("counted")
    assert versions(daemon, "counted") == [1, 2, 3]
    assert daemon.request("/counted").text == "3"
    listed = daemon.cli("versions", "counted").stdout
    assert all(f"{number}" in listed for number in (1, 2, 3))


def test_one_version_is_addressed(daemon, three):
    three("addressed")
    assert daemon.request("/addressed@1").text == "1"
    assert daemon.request("/addressed@2/below?x=1").text == "2"
    assert daemon.request("/addressed@9").status == 404


def test_rollback_goes_to_the_one_before_or_the_one_named(daemon, three):
    three("back")
    daemon.cli("rollback", "back")
    assert daemon.request("/back").text == "2"
    answer = daemon.admin("/v1/functions/back/rollback", "POST", json={"version": 1})
    assert answer.status == 200, answer.text
    assert daemon.request("/back").text == "1"
    assert daemon.admin("/v1/functions/back/rollback", "POST", json={"version": 77}).status == 404
    # A deploy after a rollback is a new version, and in service.
    assert daemon.deploy("back", source(4))["version"] == 4
    assert daemon.request("/back").text == "4"


def test_traffic_is_split_by_weight(daemon, three):
    three("split")
    answer = daemon.admin("/v1/functions/split/traffic", "PUT", json={"weights": {"1": 80, "3": 20}})
    assert answer.status == 200, answer.text
    seen = Counter(daemon.request("/split").text for _ in range(300))
    assert set(seen) == {"1", "3"}
    # 60 of 300 expected; 7 standard deviations either way.
    assert 12 < seen["3"] < 108, seen
    assert daemon.admin("/v1/functions/split/traffic").json["weights"] == {"1": 80, "3": 20}


def test_the_command_line_splits_traffic(daemon, three):
    three("split-cli")
    daemon.cli("traffic", "split-cli", "1=50", "2=50")
    assert {daemon.request("/split-cli").text for _ in range(60)} == {"1", "2"}
    output = daemon.cli("traffic", "split-cli").stdout
    assert "50" in output


@pytest.mark.parametrize("weights", [{}, {"9": 1}, {"1": 0}, {"1": -1}, {"one": 1}, {"1": "much"}])
def test_weights_that_mean_nothing_are_refused(daemon, three, weights):
    if not daemon.admin("/v1/functions/refused").status == 200:
        three("refused")
    answer = daemon.admin("/v1/functions/refused/traffic", "PUT", json={"weights": weights})
    assert answer.status in (400, 404, 422), answer.text
    assert daemon.request("/refused").text == "3"


@pytest.mark.parametrize("sticky, header", [("cookie:user", "cookie"), ("header:x-user", "x-user")])
def test_a_sticky_split_keeps_a_user_on_one_version(daemon, three, sticky, header):
    name = three("sticky-" + header)
    answer = daemon.admin(
        f"/v1/functions/{name}/traffic", "PUT", json={"weights": {"1": 50, "3": 50}, "sticky": sticky}
    )
    assert answer.status == 200, answer.text
    chosen = {}
    for user in range(40):
        value = f"a=b; user=u{user}" if header == "cookie" else f"u{user}"
        seen = {daemon.request(f"/{name}", headers={header: value}).text for _ in range(5)}
        assert len(seen) == 1, f"user {user} saw {seen}"
        chosen[user] = seen.pop()
    assert set(chosen.values()) == {"1", "3"}


def test_aliases_name_versions(daemon, three):
    three("named")
    assert daemon.admin("/v1/functions/named/aliases/stable", "PUT", json={"version": 2}).status in (200, 201)
    assert daemon.request("/named@stable").text == "2"
    assert daemon.admin("/v1/functions/named/aliases/stable", "PUT", json={"version": 1}).status in (200, 201)
    assert daemon.request("/named@stable").text == "1"
    assert daemon.admin("/v1/functions/named/aliases").json["aliases"] == {"stable": 1}
    assert daemon.admin("/v1/functions/named/aliases/stable", "DELETE").status in (200, 204)
    assert daemon.request("/named@stable").status == 404


def test_a_version_in_service_is_not_deleted_and_another_is(daemon, three):
    three("pruned")
    assert daemon.admin("/v1/functions/pruned/versions/3", "DELETE").status == 409
    assert daemon.admin("/v1/functions/pruned/versions/1", "DELETE").status in (200, 204)
    assert versions(daemon, "pruned") == [2, 3]
    assert daemon.request("/pruned@1").status == 404
    assert daemon.admin("/v1/functions/pruned/versions/1", "DELETE").status == 404


def test_a_deleted_function_is_gone_and_its_numbers_are_not_used_again(daemon, three):
    three("gone")
    daemon.cli("delete", "gone", "--yes")
    answer = daemon.request("/gone")
    assert (answer.status, answer.problem) == (404, "urn:mayfly:router:unknown-function")
    assert daemon.admin("/v1/functions/gone").status == 404
    assert "gone" not in [function["name"] for function in daemon.admin("/v1/functions").json["functions"]]
    assert daemon.deploy("gone", source("back"))["version"] == 4
    assert daemon.request("/gone").text == "back"
