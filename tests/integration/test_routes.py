"""Routes of mayfly.toml: host, method, path patterns. Without any, a function is at /NAME."""

import json

import pytest

SHOW = """
export default { fetch: (request, env) => Response.json({ who: env.WHO, path: new URL(request.url).pathname }) };
"""


@pytest.fixture(scope="module")
def routed(daemon):
    def deploy(name: str, *routes: str) -> None:
        daemon.deploy(name, SHOW, routes=list(routes), **{"env.WHO": name})

    deploy("list", "GET /shop/items")
    deploy("create", "POST /shop/items")
    deploy("item", "/shop/items/:id")
    deploy("everything", "/shop/*")
    deploy("hosted", "api.example.com/v1/*")
    deploy("star", "GET /files/*")
    return daemon


def who(daemon, path: str, method: str = "GET", **headers) -> str | int:
    answer = daemon.request(path, method, headers=headers)
    return answer.json["who"] if answer.status == 200 else answer.status


@pytest.mark.parametrize(
    "method, path, expected",
    [
        ("GET", "/shop/items", "list"),
        ("POST", "/shop/items", "create"),
        ("PUT", "/shop/items", "everything"),
        ("GET", "/shop/items/7", "item"),
        ("GET", "/shop/items/7/parts", "everything"),
        ("GET", "/shop/other", "everything"),
        ("GET", "/files/a/b/c", "star"),
        ("HEAD", "/files/a", 200),
        ("GET", "/shop", {404, "everything"}),
        ("GET", "/v1/x", 404),
    ],
)
def test_the_most_specific_route_wins(routed, method, path, expected):
    if method == "HEAD":
        assert routed.request(path, "HEAD").status == expected
        return
    assert who(routed, path, method) in (expected if isinstance(expected, set) else {expected})


def test_a_route_of_a_host(routed):
    assert who(routed, "/v1/x", Host="api.example.com") == "hosted"
    assert who(routed, "/v1/x", Host="API.example.com:8080") == "hosted"
    assert who(routed, "/v1/x", Host="other.example.com") == 404


def test_a_path_with_another_method_only(routed):
    answer = routed.request("/files/x", "POST")
    assert answer.status in (404, 405), answer.text
    if answer.status == 405:
        assert "GET" in answer.header("allow")


def test_with_a_route_the_path_stays_whole_and_by_name_the_name_is_taken_off(routed):
    assert routed.request("/shop/items/7").json["path"] == "/shop/items/7"
    assert routed.request("/item/below").json["path"] == "/below"
    assert routed.request("/item").json["path"] == "/"


def test_routes_follow_the_version_in_service(routed):
    routed.deploy("moving", SHOW, routes=["/before"], **{"env.WHO": "1"})
    assert who(routed, "/before") == "1"
    routed.deploy("moving", SHOW, routes=["/after"], **{"env.WHO": "2"})
    assert (who(routed, "/before"), who(routed, "/after")) == (404, "2")
    routed.admin("/v1/functions/moving/rollback", "POST", json={})
    assert (who(routed, "/before"), who(routed, "/after")) == ("1", 404)
    routed.admin("/v1/functions/moving", "DELETE")
    assert who(routed, "/before") == 404


@pytest.mark.parametrize("path", ["/shop/../list", "/shop/%2e%2e/list", "//shop/items", "/shop//items"])
def test_odd_paths_are_answered(routed, path):
    with routed.wire() as wire:
        wire.get(path)
        assert wire.answer().status in (200, 308, 400, 404)


@pytest.mark.parametrize("route", ["GET", "/a/*/b/*", "FETCH ME /x", "no-slash", "/a/:"])
def test_routes_that_are_none_are_refused(routed, route):
    answer = routed.put("bad-route", SHOW, routes=[route])
    if answer.status in (200, 201):
        # A pattern this router happens to know; it must then be shown as it was given.
        assert route and route in json.dumps(routed.describe("bad-route"))
        routed.admin("/v1/functions/bad-route", "DELETE")
        return
    assert answer.status in (400, 422), answer.text


def test_two_functions_with_the_same_route(routed):
    answer = routed.put("second-list", SHOW, routes=["GET /shop/items"])
    # Refused, or accepted with a warning; never silently one or the other.
    assert answer.status in (409, 422) or answer.json.get("warnings"), answer.text


def test_a_route_does_not_take_another_functions_address(routed):
    refused = routed.put("greedy", SHOW, routes=["GET /list/*"])
    assert (refused.status, refused.json["key"]) == (422, "routes"), refused.text
    assert "the function 'list'" in refused.json["detail"]
    assert who(routed, "/list") == "list"
    assert routed.put("greedy", SHOW, routes=["list.example.com/list/*"]).status == 201


def test_a_route_that_hides_others_is_said_and_so_is_being_hidden(routed):
    answer = routed.put("greedy", SHOW, routes=["GET /:first/:second/hidden"])
    [warning] = answer.json["warnings"]
    assert "'GET /:first/:second/hidden'" in warning and "more" in warning
    [warning] = routed.put("late", SHOW).json["warnings"]
    assert "/late" in warning and "'greedy'" in warning
    for name in ("greedy", "late"):
        routed.admin(f"/v1/functions/{name}", "DELETE")
