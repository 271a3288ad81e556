"""Who may call a function: API keys, what the function learns of its caller, and rates."""

import sqlite3
import threading

import pytest

from support import http, processes

ECHO = """
export default (request) => {
  console.log(JSON.stringify([...request.headers]));
  return Response.json(Object.fromEntries(request.headers));
};
"""


@pytest.fixture(scope="module")
def server(start_daemon):
    daemon = start_daemon("--threads", "2")
    daemon.deploy("open", ECHO)
    daemon.deploy("pay", ECHO, access="key")
    daemon.deploy("ship", ECHO, access="key")
    return daemon


def make(daemon, name: str, **more) -> str:
    answer = daemon.admin("/v1/keys", "POST", json={"name": name, **more})
    assert answer.status == 201, answer.text
    return answer.json["key"]


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_key_opens_what_it_is_for(server):
    key = make(server, "partner", functions=["pay"])
    for headers in (bearer(key), {"x-api-key": key}):
        assert server.request("/pay", headers=headers).status == 200
        refused = server.request("/ship", headers=headers)
        assert (refused.status, refused.problem) == (403, "urn:mayfly:access:key-not-allowed")
        assert 'error="insufficient_scope"' in refused.header("www-authenticate")
    assert server.request("/ship", headers=bearer(make(server, "for-all"))).status == 200
    assert server.request("/open").status == 200
    assert server.admin("/v1/status", headers=bearer(key)).status == 401, "it is no token of the admin plane"


def test_without_a_good_key(server):
    key = make(server, "good")
    none = server.request("/pay")
    assert (none.status, none.problem) == (401, "urn:mayfly:access:key-needed")
    assert none.header("www-authenticate") == 'Bearer realm="pay"'
    other = key[:-1] + ("0" if key[-1] != "0" else "1")
    for headers in (bearer(other), {"x-api-key": "hello"}, {"x-api-key": server.token}, bearer("mf_")):
        refused = server.request("/pay", headers=headers)
        assert (refused.status, refused.problem) == (401, "urn:mayfly:access:invalid-key"), headers
        assert 'error="invalid_token"' in refused.header("www-authenticate")
    two = server.request("/pay", headers={**bearer(key), "x-api-key": key})
    assert (two.status, two.problem) == (400, "urn:mayfly:access:two-credentials")
    assert server.request("/pay", headers={"authorization": "Basic eDp5"}).problem == "urn:mayfly:access:key-needed"
    assert server.describe("pay")["live"]["invocations"]["failed"] == 0


def test_the_function_learns_the_name_and_not_the_key(server):
    key = make(server, "named")
    forged = {"mayfly-key": "root", "mayfly_key": "root", "Mayfly-JWT-Claims": "e30"}
    for headers in (bearer(key), {"x-api-key": key}):
        seen = server.request("/pay", headers={**headers, **forged, "x-mine": "stays"}).json
        assert seen["mayfly-key"] == "named" and seen["x-mine"] == "stays"
        assert not {"authorization", "x-api-key", "mayfly_key", "mayfly-jwt-claims"} & set(seen)
    kept = server.request("/pay", headers={"x-api-key": key, "authorization": "Basic eDp5"}).json
    assert kept["authorization"] == "Basic eDp5"
    public = server.request("/open", headers={**bearer("of-its-own"), **forged}).json
    assert public["authorization"] == "Bearer of-its-own" and "mayfly-key" not in public
    for file in server.folder.rglob("*"):
        if file.is_file():
            assert key.encode() not in file.read_bytes(), file
    assert key not in server.last_words(1 << 20) + server.admin("/v1/keys").text


def test_a_revoked_key_is_refused_at_once_also_on_a_connection_that_stands(server):
    key = make(server, "leaver")
    head = f"HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n"
    for function in ("pay", "ship"):  # the connection is with their shards
        with server.wire() as wire:
            wire.send(f"GET /{function} {head}")
            assert wire.answer().status == 200
            if function == "pay":
                continue
            assert server.admin("/v1/keys/leaver", "DELETE").status == 204
            for again in ("ship", "pay"):
                wire.send(f"GET /{again} {head}")
                assert wire.answer().status == 401
    assert server.admin("/v1/keys/leaver", "DELETE").problem == "urn:mayfly:access:unknown-key"


def test_a_key_expires(server):
    key = make(server, "short", expires_in_s=1)
    processes.eventually(lambda: server.request("/pay", headers=bearer(key)).status == 401, 10, "the key expires")
    assert "expired" in server.request("/pay", headers=bearer(key)).json["detail"]


def test_an_older_version_does_not_stay_open(server):
    server.deploy("grows", ECHO)
    assert server.request("/grows@1").status == 200
    server.deploy("grows", ECHO, access="key")
    assert server.request("/grows").status == 401
    assert server.request("/grows@1").status == 401
    refused = server.cli("rollback", "grows", "1", check=False)
    assert refused.returncode == 1 and "grows@2" in refused.stderr and "grows@1 would let in everyone" in refused.stderr
    assert server.request("/grows").status == 401
    refused = server.cli("traffic", "grows", "1=60", "2=40", check=False)
    assert refused.returncode == 1 and "--open" in refused.stderr
    server.cli("traffic", "grows", "1=40", "2=60")
    assert {server.request("/grows").status for _ in range(20)} == {401}, "the version with most of the traffic counts"
    server.cli("traffic", "grows", "1=60", "2=40", "--open")
    server.cli("rollback", "grows", "2")
    assert server.request("/grows").status == 401
    server.cli("rollback", "grows", "1", "--open")
    assert server.request("/grows").status == 200
    assert server.request("/grows@2").status == 401


def test_the_admin_plane_calls_without_a_key(server):
    forged = {"mayfly-key": "root", "mayfly_key": "root", "Mayfly-JWT-Claims": "e30", "x-mine": "stays"}
    answer = server.admin("/v1/functions/pay/invocations?path=/", "POST", headers=forged)
    assert answer.status == 200 and answer.json["x-mine"] == "stays"
    assert not {"mayfly-key", "mayfly_key", "mayfly-jwt-claims"} & set(answer.json), "and cannot say who calls"


def test_the_rate_of_a_function(server):
    server.deploy("busy", ECHO, rate_limit="3/h")
    answers = [server.request("/busy") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[0].header("ratelimit-policy") == '"function";q=3;w=3600'
    assert answers[1].header("ratelimit").startswith('"function";r=1;t=')
    refused = answers[3]
    assert refused.problem == "urn:mayfly:access:rate-limited" and refused.json["limit"] == "3/h"
    assert 1100 <= int(refused.header("retry-after")) <= 1200
    assert refused.header("ratelimit") == f'"function";r=0;t={refused.header("retry-after")}'
    assert server.request("/busy@1").status == 429
    server.deploy("busy", ECHO, rate_limit="1000000/s")
    processes.eventually(lambda: server.request("/busy").status == 200, 10, "a rate that changes takes effect")


def test_a_rate_is_not_evaded_under_an_older_number(server):
    server.deploy("slower", ECHO, rate_limit="1000/s")
    assert [server.request("/slower@1").status for _ in range(3)] == [200] * 3
    server.deploy("slower", ECHO, rate_limit="1/h")
    assert [server.request("/slower@1").status for _ in range(3)] == [200, 429, 429]
    assert server.request("/slower").status == 429, "the rate is for all versions together"


def test_the_rate_of_a_key_is_its_own(server):
    slow, fast = make(server, "slow", rate="2/h", functions=["pay", "ship"]), make(server, "fast")
    for function in ("pay", "ship"):
        statuses = [server.request(f"/{function}", headers=bearer(slow)).status for _ in range(4)]
        assert statuses == [200, 200, 429, 429], "for each function"
    answer = server.request("/pay", headers=bearer(fast))
    assert answer.status == 200 and answer.header("ratelimit") is None
    assert "'slow'" in server.request("/pay", headers=bearer(slow)).json["detail"]


def test_a_rate_holds_under_load(server):
    server.deploy("crowd", ECHO, rate_limit="50/h")
    statuses: list[int] = []

    def ask():
        statuses.extend(server.request("/crowd").status for _ in range(30))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(200) == 50 and statuses.count(429) == 130


def test_keys_and_rates_that_are_none(server):
    for body in ({}, {"name": 3}, {"name": "x", "functions": "pay"}, {"name": "x", "functions": [1]}, {"name": "x", "rate": "fast"},
                 {"name": "x", "rate": 3}, {"name": "x", "expires_in_s": 0}, {"name": "x", "more": 1}):
        answer = server.admin("/v1/keys", "POST", json=body)
        assert (answer.status, answer.problem) == (400, "urn:mayfly:admin:invalid-body"), body
    for body in ({"name": "X"}, {"name": ""}, {"name": "x", "functions": ["no function"]}):
        assert server.admin("/v1/keys", "POST", json=body).problem == "urn:mayfly:access:bad-key", body
    make(server, "twice")
    assert server.admin("/v1/keys", "POST", json={"name": "twice"}).problem == "urn:mayfly:access:key-exists"
    for setting in ({"access": "secret"}, {"rate_limit": "many"}, {"rate_limit": "0/s"}):
        assert server.put("wrong", ECHO, **setting).problem == "urn:mayfly:registry:bad-config", setting


def test_the_verbs(server):
    key = server.cli("key", "create", "cli", "--function", "pay", "--function", "ship", "--rate", "10/s burst 50", "--expires", "30d").stdout.strip()
    assert server.request("/pay", headers=bearer(key)).status == 200
    listed = server.cli("key", "list").stdout
    assert "pay, ship" in listed and "10/s burst 50" in listed and key not in server.cli("key", "list", "--json").stdout
    assert "cli is revoked" in server.cli("key", "revoke", "cli").stdout
    assert server.request("/pay", headers=bearer(key)).status == 401
    for wrong in (["create"], ["revoke"], ["lst"], ["list", "x"], ["create", "x", "--expires", "soon"]):
        assert server.cli("key", *wrong, check=False).returncode == 2, wrong


def test_keys_outlive_a_restart(start_daemon):
    daemon = start_daemon()
    daemon.deploy("pay", ECHO, access="key")
    key = make(daemon, "stays")
    daemon.restart()
    assert daemon.request("/pay", headers=bearer(key)).status == 200
    with sqlite3.connect(daemon.folder / "mayfly.db") as database:
        [(stored,)] = database.execute("SELECT hash FROM keys").fetchall()
    assert len(stored) == 32
