"""What stands in the places of a route's placeholders reaches the handler of each form."""

import pytest

from support import events

#: form → (file, code): each answers JSON with the route's key, where its form has one, and the parameters.
FORMS = {
    "workers": ("index.js", """
        export default { fetch: (request, env, ctx) => Response.json([request.headers.get("mayfly-route"), ctx.params]) };
    """),
    "express": ("index.mjs", """
        export default (req, res) => res.end(JSON.stringify([req.headers["mayfly-route"],
          Object.fromEntries(new URLSearchParams(req.headers["mayfly-path-parameters"]))]));
    """),
    "lambda": ("index.mjs", """
        export const handler = async (event) => [event.routeKey, event.pathParameters];
    """),
    "python-lambda": ("handler.py", """
def handler(event, context):
    return [event["routeKey"], event.get("pathParameters")]
    """),
    "asgi": ("asgi.py", """
import json
from urllib.parse import parse_qsl

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    seen = [headers["mayfly-route"], dict(parse_qsl(headers["mayfly-path-parameters"]))]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
    """),
    "wsgi": ("wsgi.py", """
import json
from urllib.parse import parse_qsl

def app(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps([environ["HTTP_MAYFLY_ROUTE"], dict(parse_qsl(environ["HTTP_MAYFLY_PATH_PARAMETERS"]))]).encode()]
    """),
    "cpp": ("main.cpp", r"""
#include <mayfly.h>

mayfly::Response handle(const mayfly::Request& request) {
  const auto of = [&](std::string_view name) { return "\"" + request.parameter(name).value_or("none") + "\""; };
  return {200, "[\"" + std::string(*request.header("mayfly-route")) + "\", {\"id\": " + of("id") + ", \"proxy\": " + of("proxy") + "}]"};
}
MAYFLY_HANDLER(handle)
    """),
    "cgi": ("main.sh", """#!/bin/sh
printf '["%s", {"id": "%s", "proxy": "%s"}]' "$HTTP_MAYFLY_ROUTE" "$MAYFLY_PARAMETER_ID" "$MAYFLY_PARAMETER_PROXY"
    """),
    "bootstrap": ("bootstrap", """#!/usr/bin/env python3
import http.client, json, os

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    event = json.loads(answer.read())
    body = json.dumps([event["routeKey"], event.get("pathParameters")])
    api.request("POST", "/2018-06-01/runtime/invocation/" + answer.getheader("Lambda-Runtime-Aws-Request-Id") + "/response", body)
    api.getresponse().read()
    """),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gets_the_route_and_its_parameters(daemon, form):
    file, code = FORMS[form]
    daemon.deploy(form, code, file, routes=[f"GET /of-{form}/:id/*"])
    forged = {"mayfly-route": "POST /forged", "Mayfly_Path_Parameters": "id=forged", "mayfly-path-parameters": "id=forged"}
    answer = daemon.request(f"/of-{form}/a%2Fb%20%26c=+/d/e?id=no", headers=forged)
    assert answer.status == 200, answer.text
    assert answer.json == [f"GET /of-{form}/{{id}}/{{proxy+}}", {"id": "a/b &c=+", "proxy": "d/e"}]


def test_without_a_route_there_are_none(daemon):
    daemon.deploy("unrouted", FORMS["lambda"][1], "index.mjs")
    assert daemon.request("/unrouted/7", headers={"mayfly-route": "GET /forged"}).json == ["$default", None]


def test_a_request_that_is_answered_later_has_them_too(daemon):
    daemon.deploy("later", FORMS["lambda"][1], "index.mjs", routes=["POST /later-of/:id"])
    location = events.accept(daemon, "/later-of/7", body=b"x").header("location")
    assert events.until(daemon, location)["status"] == "succeeded"
    assert daemon.request(f"{location}/result").json == ["POST /later-of/{id}", {"id": "7"}]
