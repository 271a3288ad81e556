"""The admin plane: token, routes against the OpenAPI document, problem documents, health, metrics."""

import re

import pytest

from support import http

HELLO = 'export default { fetch: () => new Response("hello") };\n'


@pytest.mark.parametrize("path", ["/v1/functions", "/v1/status", "/v1/functions/x", "/metrics", "/v1/openapi.json"])
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic abc", "Bearer "])
def test_nothing_without_the_token(daemon, path, header):
    answer = http.request(daemon.admin_url + path, headers={"authorization": header} if header else {})
    if path == "/metrics" and answer.status == 200:
        pytest.skip("metrics are open")
    assert answer.status == 401
    assert answer.problem == "urn:mayfly:admin:unauthorized"
    assert answer.header("www-authenticate", "").startswith("Bearer")


def test_a_deploy_without_the_token_deploys_nothing(daemon):
    answer = http.request(f"{daemon.admin_url}/v1/functions/sneaked?file=x.js", "PUT", body=HELLO)
    assert answer.status == 401
    assert daemon.request("/sneaked").status == 404


def test_the_admin_api_is_not_on_the_data_plane(daemon):
    headers = {"authorization": f"Bearer {daemon.token}"}
    assert daemon.request("/v1/functions", headers=headers).status == 404
    assert daemon.request("/metrics", headers=headers).status == 404


def test_health_needs_no_token(daemon):
    for path in ("/healthz", "/readyz"):
        assert http.request(daemon.admin_url + path).status == 200


def test_metrics_are_prometheus_text(daemon):
    daemon.deploy("measured", HELLO)
    daemon.request("/measured")
    answer = daemon.admin("/metrics")
    assert answer.status == 200
    assert answer.header("content-type").startswith("text/plain")
    assert re.search(r'^mayfly_\w+\{[^}]*measured[^}]*\} [0-9]', answer.text, re.M), answer.text[:2000]
    for line in answer.text.splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r'[a-zA-Z_:][\w:]*(\{.*\})? [-+0-9.eEinfNa]+', line), line


def test_status(daemon):
    status = daemon.admin("/v1/status").json
    assert str(daemon.port) in str(status["data"])
    assert any(runtime["name"] == "node" for runtime in status["runtimes"])


def example_path(path: str) -> str:
    return (path.replace("{name}", "measured").replace("{function}", "measured").replace("{version}", "77")
            .replace("{number}", "77").replace("{n}", "77").replace("{alias}", "nobody"))


def test_the_openapi_document_and_the_routes_agree(daemon):
    """Every operation written there exists, and every route that exists is written there."""
    daemon.deploy("measured", HELLO)
    document = daemon.admin("/v1/openapi.json").json
    assert document["openapi"].startswith("3.")
    methods = {"get", "put", "post", "delete", "patch"}
    documented = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item if method in methods
    }
    expected = {
        ("PUT", "/v1/functions/{}"), ("GET", "/v1/functions"), ("GET", "/v1/functions/{}"), ("DELETE", "/v1/functions/{}"),
        ("GET", "/v1/functions/{}/versions"), ("DELETE", "/v1/functions/{}/versions/{}"),
        ("POST", "/v1/functions/{}/evict"), ("POST", "/v1/functions/{}/rollback"), ("GET", "/v1/functions/{}/traffic"), ("PUT", "/v1/functions/{}/traffic"),
        ("GET", "/v1/functions/{}/aliases"), ("PUT", "/v1/functions/{}/aliases/{}"), ("DELETE", "/v1/functions/{}/aliases/{}"),
        ("POST", "/v1/functions/{}/invocations"), ("POST", "/v1/functions/{}/evict"), ("GET", "/v1/functions/{}/logs"), ("GET", "/v1/status"),
        ("GET", "/v1/secrets"), ("PUT", "/v1/secrets/{}"), ("DELETE", "/v1/secrets/{}"),
        ("GET", "/v1/datasets"), ("GET", "/v1/datasets/{}"), ("PUT", "/v1/datasets/{}"), ("DELETE", "/v1/datasets/{}"),
        ("PUT", "/v1/datasets/{}/source"), ("POST", "/v1/datasets/{}/refresh"),
        ("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/{}"),
        ("GET", "/v1/tokens"), ("POST", "/v1/tokens"), ("DELETE", "/v1/tokens/{}"),
        ("GET", "/v1/invocations"), ("GET", "/v1/invocations/{}"), ("GET", "/v1/invocations/{}/result"), ("GET", "/v1/invocations/{}/event"),
        ("DELETE", "/v1/invocations/{}"), ("POST", "/v1/invocations/{}/retry"),
        ("GET", "/v1/queues"), ("POST", "/v1/queues/{}/pause"), ("POST", "/v1/queues/{}/resume"), ("POST", "/v1/queues/{}/redrive"),
        ("GET", "/v1/queues/{}/deliveries"), ("DELETE", "/v1/queues/{}/deliveries"),
        ("GET", "/v1/topics"), ("PUT", "/v1/topics/{}"), ("POST", "/v1/topics/{}/events"),
        ("DELETE", "/v1/queues/{}"), ("GET", "/v1/callbacks/secret"),
        ("GET", "/v1/pipelines"), ("GET", "/v1/pipelines/{}"), ("PUT", "/v1/pipelines/{}"), ("DELETE", "/v1/pipelines/{}"),
        ("GET", "/v1/pipelines/{}/runs"), ("POST", "/v1/pipelines/{}/runs"), ("GET", "/v1/runs/{}"),
        ("POST", "/v1/runs/{}/events/{}"), ("POST", "/v1/runs/{}/cancel"), ("POST", "/v1/runs/{}/retry"),
        ("GET", "/v1/advice"),
        ("GET", "/v1/schedules"), ("POST", "/v1/schedules/{}/run"), ("POST", "/v1/schedules/{}/pause"), ("POST", "/v1/schedules/{}/resume"),
        ("GET", "/v1/usage"), ("GET", "/v1/usage/records"), ("GET", "/v1/bill"), ("GET", "/v1/openapi.json"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
    }
    assert {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in documented} == expected
    for method, path in sorted(documented):
        if (method, path.count("{")) == ("DELETE", 1):
            continue  # would delete what the others use
        answer = daemon.admin(example_path(path), method, body=b"" if method in ("PUT", "POST") else None)
        assert answer.status != 405, (method, path)
        if answer.status == 404:
            assert answer.problem != "urn:mayfly:admin:unknown-route", (method, path)
        responses = document["paths"][path][method.lower()]["responses"]
        assert str(answer.status) in responses or "default" in responses, (method, path, answer.status)


def test_unknown_routes_and_methods(daemon):
    answer = daemon.admin("/v1/nothing")
    assert (answer.status, answer.problem) == (404, "urn:mayfly:admin:unknown-route")
    answer = daemon.admin("/v1/functions", "PATCH")
    assert (answer.status, answer.problem) == (405, "urn:mayfly:admin:method-not-allowed")
    assert "GET" in answer.header("allow")


def test_list_and_describe(daemon):
    daemon.deploy("described", HELLO, timeout="7s")
    names = [function["name"] for function in daemon.admin("/v1/functions").json["functions"]]
    assert "described" in names and names == sorted(names)
    described = daemon.describe("described")
    assert described["name"] == "described"
    assert described["versions"] and described["traffic"]


def test_bodies_that_are_not_what_a_route_takes(daemon):
    daemon.deploy("described", HELLO)
    for body in (b"not json", b"[]", b'{"weights": 5}', b"\xff\xfe"):
        answer = daemon.admin("/v1/functions/described/traffic", "PUT", body=body)
        assert answer.status in (400, 422), answer.text
        assert answer.problem.startswith("urn:mayfly:")


def test_an_upload_that_is_too_large_is_refused(daemon):
    with http.Wire(daemon.admin_port) as wire:
        wire.send(
            f"PUT /v1/functions/huge?file=x.js HTTP/1.1\r\nHost: localhost:{daemon.admin_port}\r\nAuthorization: Bearer {daemon.token}\r\n"
            f"Content-Length: {1 << 40}\r\n\r\n"
        )
        assert wire.answer().status == 413
