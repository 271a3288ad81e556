"""Named tokens: what each may do, that no route is forgotten, and that a revoked one is worth nothing."""

import re
import sqlite3

import pytest

from support import http, processes

HELLO = 'export default () => new Response("hello");'
SCOPES = ("read", "invoke", "deploy")


@pytest.fixture(scope="module")
def server(daemon):
    daemon.deploy("hello", HELLO)
    return daemon


def make(daemon, name: str, scopes, **more) -> str:
    answer = daemon.admin("/v1/tokens", "POST", json={"name": name, "scopes": list(scopes), **more})
    assert answer.status == 201, answer.text
    return answer.json["token"]


def ask(daemon, token: str, path: str, method: str = "GET", **more) -> http.Answer:
    return http.request(daemon.admin_url + path, method, headers={"authorization": f"Bearer {token}"}, **more)


@pytest.fixture(scope="module")
def tokens(server) -> dict[str, str]:
    """One with each scope alone, and for each scope one with all the others."""
    given = {scope: make(server, f"only-{scope}", [scope]) for scope in SCOPES}
    given |= {f"not {scope}": make(server, f"not-{scope}", [other for other in SCOPES if other != scope]) for scope in SCOPES}
    return given


def rows(server) -> list[tuple[str, str, list]]:
    document = server.admin("/v1/openapi.json").json
    return [(method.upper(), path, operation["security"]) for path, methods in document["paths"].items() for method, operation in methods.items()]


def test_every_route_needs_its_scope_and_no_other(server, tokens):
    """A route that comes later, and whose row is forgotten, needs the admin token: it can only be too safe."""
    counts = dict.fromkeys([*SCOPES, "admin", "open"], 0)
    for method, path, security in rows(server):
        # Nothing of that name is there, so that the right token gets another refusal, and nothing happens.
        target = re.sub(r"\{[^}]*\}", "7", path)
        if not security:
            counts["open"] += 1
            assert http.request(server.admin_url + target, method).status < 400, path
            continue
        [scope] = security[0]["token"]
        counts[scope] += 1
        assert ask(server, "mayfly_" + "0" * 64, target, method).status == 401, path
        for name, token in tokens.items():
            allowed = name == scope or (name.startswith("not ") and name != f"not {scope}" and scope != "admin")
            answer = ask(server, token, target, method)
            if allowed:
                assert answer.status not in (401, 403), (method, path, name, answer.text)
            else:
                assert (answer.status, answer.problem) == (403, "urn:mayfly:admin:missing-scope"), (method, path, name)
                assert answer.json["scope"] == scope and (scope in answer.json["detail"])
    assert all(counts.values()), counts
    assert counts["deploy"] >= 8 and counts["read"] >= 8 and counts["admin"] >= 3, counts


def test_a_token_of_each_scope_does_its_work(server, tokens):
    assert ask(server, tokens["deploy"], "/v1/functions/made?file=x.js", "PUT", body=HELLO.encode()).status == 201
    assert ask(server, tokens["invoke"], "/v1/functions/made/invocations?path=/", "POST").text == "hello"
    assert ask(server, tokens["read"], "/v1/functions/made").json["name"] == "made"
    assert ask(server, tokens["deploy"], "/v1/functions/made", "DELETE").status == 204


def test_the_text_is_shown_once_and_kept_nowhere(server):
    token = make(server, "secret-one", ["read"])
    assert re.fullmatch(r"mayfly_[0-9a-f]{64}", token)
    listed = server.admin("/v1/tokens")
    assert token not in listed.text and "hash" not in listed.text
    assert next(each for each in listed.json["tokens"] if each["name"] == "secret-one")["scopes"] == ["read"]
    for file in server.folder.rglob("*"):
        if file.is_file():
            assert token.removeprefix("mayfly_").encode() not in file.read_bytes(), file
    assert token not in server.last_words(1 << 20)


def test_a_revoked_token_is_refused_at_once_also_on_a_connection_that_stands(server):
    server.deploy("talks", 'export default () => { console.log("said"); return new Response("x"); };')
    token = make(server, "leaver", ["read", "invoke"])
    with http.Wire(server.admin_port) as wire, http.Wire(server.admin_port) as log:
        head = f"HTTP/1.1\r\nHost: localhost:{server.admin_port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        wire.send(f"GET /v1/status {head}")
        assert wire.answer().status == 200
        log.send(f"GET /v1/functions/talks/logs?follow=1 {head}")
        assert log.head().status == 200
        assert server.admin("/v1/tokens/leaver", "DELETE").status == 204
        wire.send(f"GET /v1/status {head}")
        assert wire.answer().status == 401
        server.request("/talks")  # the next line finds out, and is not sent on
        rest = log.rest()
        assert b"said" not in rest
    assert server.admin("/v1/tokens/leaver", "DELETE").problem == "urn:mayfly:admin:unknown-token"


def test_a_token_expires(server):
    token = make(server, "short", ["read"], expires_in_s=1)
    assert "expires" in next(each for each in server.admin("/v1/tokens").json["tokens"] if each["name"] == "short")
    processes.eventually(lambda: ask(server, token, "/v1/status").status == 401, 10, "the token expires")
    assert "expired" in ask(server, token, "/v1/status").json["detail"]


def test_names_and_scopes_that_are_none(server):
    for body in ({}, {"name": "x"}, {"name": "x", "scopes": []}, {"name": "x", "scopes": "read"}, {"name": "x", "scopes": ["admin"]},
                 {"name": "x", "scopes": ["write"]}, {"name": "X", "scopes": ["read"]}, {"name": "", "scopes": ["read"]},
                 {"name": "a/b", "scopes": ["read"]}, {"name": "x" * 64, "scopes": ["read"]}, {"name": 3, "scopes": ["read"]},
                 {"name": "x", "scopes": ["read"], "expires_in_s": 0}, {"name": "x", "scopes": ["read"], "expires_in_s": "1"},
                 {"name": "x", "scopes": ["read"], "more": 1}):
        answer = server.admin("/v1/tokens", "POST", json=body)
        assert (answer.status, answer.problem) == (400, "urn:mayfly:admin:invalid-body"), body
    make(server, "twice", ["read"])
    assert server.admin("/v1/tokens", "POST", json={"name": "twice", "scopes": ["deploy"]}).problem == "urn:mayfly:admin:token-exists"


def test_the_verbs(server):
    token = server.cli("token", "create", "ci", "--scope", "deploy,read", "--expires", "30d").stdout.strip()
    assert ask(server, token, "/v1/functions").status == 200
    assert "deploy" in server.cli("token", "list").stdout and token not in server.cli("token", "list", "--json").stdout
    refused = server.cli("invoke", "hello", "--token", token, check=False)
    assert refused.returncode != 0 and "invoke" in refused.stderr
    assert "ci is revoked" in server.cli("token", "revoke", "ci").stdout
    assert ask(server, token, "/v1/functions").status == 401
    for wrong in (["create", "x"], ["create"], ["revoke"], ["lst"], ["list", "x"], ["create", "x", "--scope", "read", "--expires", "soon"]):
        assert server.cli("token", *wrong, check=False).returncode == 2, wrong


def test_tokens_outlive_a_restart_and_the_admin_token_needs_no_row(start_daemon):
    daemon = start_daemon()
    token = make(daemon, "stays", ["read"])
    daemon.restart()
    assert ask(daemon, token, "/v1/status").status == 200
    with sqlite3.connect(daemon.folder / "mayfly.db") as database:
        database.execute("DELETE FROM tokens")
    daemon.restart()
    assert ask(daemon, token, "/v1/status").status == 401
    assert daemon.admin("/v1/tokens").json["tokens"] == []
