"""The forms a handler may have, and what the code around it may do."""

import json

import pytest


def test_workers_form_gets_request_environment_and_context(daemon):
    daemon.deploy(
        "workers",
        """
        export default {
          async fetch(request, env, ctx) {
            return Response.json({
              method: request.method, url: request.url, env: env.KEY, body: await request.text(),
              header: request.headers.get("X-Custom"), waitUntil: typeof ctx.waitUntil,
              isRequest: request instanceof Request, isHeaders: request.headers instanceof Headers,
            }, { status: 201, headers: { "x-answer": "yes" } });
          },
        };""",
        **{"env.KEY": "value"},
    )
    answer = daemon.request("/workers/path/x?q=%20a", "POST", body="text", headers={"x-custom": "1"})
    assert answer.status == 201 and answer.header("x-answer") == "yes"
    got = answer.json
    assert got.pop("url").endswith("/path/x?q=%20a")
    assert got == {
        "method": "POST", "env": "value", "body": "text", "header": "1", "waitUntil": "function",
        "isRequest": True, "isHeaders": True,
    }


def test_work_after_the_answer_is_done(daemon):
    daemon.deploy(
        "after",
        """
        let finished = 0;
        export default {
          fetch(request, env, ctx) {
            if (request.url.endsWith("/count")) return new Response(String(finished));
            ctx.waitUntil(new Promise((resolve) => setTimeout(() => { finished++; resolve(); }, 100)));
            return new Response("early");
          },
        };""",
        max_instances="1",
    )
    assert daemon.request("/after").text == "early"
    from support.processes import eventually

    eventually(lambda: daemon.request("/after/count").text == "1", what="the work after the answer")


def test_lambda_form_gets_an_event_of_payload_format_2(daemon):
    daemon.deploy(
        "lambda",
        """
        export const handler = async (event, context) => ({
          statusCode: 202,
          headers: { "content-type": "application/json", "x-left": String(context.getRemainingTimeInMillis() > 0) },
          cookies: ["a=1; Path=/", "b=2"],
          body: JSON.stringify({ event, requestId: context.awsRequestId, name: context.functionName }),
        });""",
        handler="handler",
    )
    answer = daemon.request(
        "/lambda/a/b?x=1&x=2&y=%C3%A9", "POST", body="plain",
        headers={"Content-Type": "text/plain", "Cookie": "c=d; e=f", "X-Two": "1"},
    )
    assert answer.status == 202
    assert answer.all("set-cookie") == ["a=1; Path=/", "b=2"]
    assert answer.header("x-left") == "true"
    document = answer.json
    event = document["event"]
    assert event["version"] == "2.0"
    assert event["rawPath"].endswith("/a/b")
    assert event["rawQueryString"] == "x=1&x=2&y=%C3%A9"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "é"}
    assert event["cookies"] == ["c=d", "e=f"]
    assert event["headers"]["x-two"] == "1"
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["body"] == "plain" and event["isBase64Encoded"] is False
    assert document["requestId"] == answer.header("mayfly-invocation")
    assert document["name"] == "lambda"


def test_lambda_form_with_bytes(daemon):
    daemon.deploy(
        "lambda-bytes",
        """
        exports.handler = async (event) => ({
          statusCode: 200, isBase64Encoded: true, headers: { "content-type": "image/x" },
          body: Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8").reverse().toString("base64"),
        });""",
        file="index.cjs", handler="handler",
    )
    answer = daemon.request(
        "/lambda-bytes", "POST", body=bytes([0, 255, 1, 128]), headers={"content-type": "application/octet-stream"}
    )
    assert answer.body == bytes([128, 1, 255, 0])


def test_lambda_form_may_answer_with_any_value(daemon):
    daemon.deploy("lambda-plain", "export const handler = async (event) => ({ hello: 'you' });", handler="handler")
    answer = daemon.request("/lambda-plain")
    assert answer.status == 200 and answer.json == {"hello": "you"}
    assert answer.header("content-type") == "application/json"


def test_lambda_form_takes_other_payloads_as_they_are(daemon):
    daemon.deploy("lambda-event", "export const handler = async (event) => ({ got: event });", handler="handler")
    answer = daemon.admin("/v1/functions/lambda-event/invocations", "POST", json={"Records": [{"a": 1}]})
    assert answer.status == 200, answer.text
    assert answer.json == {"got": {"Records": [{"a": 1}]}}
    output = daemon.cli("invoke", "lambda-event", '{"from": "cli"}').stdout
    assert json.loads(output) == {"got": {"from": "cli"}}


def test_lambda_form_with_a_callback(daemon):
    daemon.deploy(
        "lambda-callback",
        "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, { statusCode: 200, body: 'called back' }), 5); };",
        file="index.cjs", handler="handler",
    )
    assert daemon.request("/lambda-callback").text == "called back"


def test_express_form(daemon):
    daemon.deploy(
        "plain-node",
        """
        export default (req, res) => {
          const chunks = [];
          req.on("data", (chunk) => chunks.push(chunk));
          req.on("end", () => {
            res.statusCode = 203;
            res.setHeader("X-Method", req.method);
            res.setHeader("Set-Cookie", ["a=1", "b=2"]);
            res.write("got ");
            res.end(`${Buffer.concat(chunks).length} bytes at ${req.url} with ${req.headers["x-in"]}`);
          });
        };""",
    )
    answer = daemon.request("/plain-node/x?y=1", "POST", body=b"z" * 100_000, headers={"X-In": "header"})
    assert answer.status == 203
    assert answer.header("x-method") == "POST"
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert answer.text == "got 100000 bytes at /x?y=1 with header"


@pytest.mark.parametrize(
    "label, file, source",
    [
        ("esm", "index.mjs", "export default { fetch: () => new Response('ok') };"),
        ("cjs", "index.cjs", "module.exports = { fetch: () => new Response('ok') };"),
        ("cjs-default", "index.cjs", "exports.default = { fetch: () => new Response('ok') };"),
        ("cjs-in-js", "index.js", "const os = require('node:os'); module.exports = { fetch: () => new Response(os.EOL && 'ok') };"),
        ("top-level-await", "index.mjs", "const text = await Promise.resolve('ok');\nexport default { fetch: () => new Response(text) };"),
        ("dynamic-import", "index.mjs", "export default { async fetch() { const { basename } = await import('node:path'); return new Response(basename('/a/ok')); } };"),
        ("require-in-esm", "index.mjs", "import { createRequire } from 'node:module';\nconst { join } = createRequire(import.meta.url)('node:path');\nexport default { fetch: () => new Response(join('ok')) };"),
        ("named-fetch", "index.mjs", "export function fetch(request) { return new Response('ok'); }"),
        ("function", "index.mjs", "export default (request) => new Response('ok');"),
        ("class", "index.mjs", "class App { text = 'ok'; fetch() { return new Response(this.text); } }\nexport default new App();"),
        ("jsx-free-ts", "index.mts", "const text: string = 'ok';\nexport default { fetch: () => new Response(text) };"),
    ],
)
def test_module_forms(daemon, label, file, source):
    answer = daemon.put(f"form-{label}", source, file=file)
    if label == "named-fetch" or label == "function":
        # A convenience, not a promise: either it works, or the refusal says what is missing.
        if answer.status == 422:
            return
    assert answer.status in (200, 201), answer.text
    assert daemon.request(f"/form-{label}").text == "ok"


def test_node_is_all_there_after_a_fork(daemon):
    daemon.deploy(
        "node",
        """
        import { readFile } from "node:fs/promises";
        import { createHash } from "node:crypto";
        import { gzipSync, gunzip } from "node:zlib";
        import { promisify } from "node:util";
        import { setTimeout as sleep } from "node:timers/promises";
        import { Worker } from "node:worker_threads";
        const here = new URL(import.meta.url);
        export default {
          async fetch() {
            await sleep(1);
            await new Promise(setImmediate);
            const text = await readFile(here, "utf8");
            const unpacked = await promisify(gunzip)(gzipSync("packed"));
            return Response.json({
              file: text.includes("node:zlib"), hash: createHash("sha256").update("a").digest("hex").slice(0, 8),
              zlib: String(unpacked), signal: (await Promise.race([sleep(1), sleep(500)])) === undefined,
            });
          },
        };""",
        file="index.mjs",
    )
    for _ in range(3):
        assert daemon.request("/node").json == {"file": True, "hash": "ca978112", "zlib": "packed", "signal": True}


def test_a_handler_other_than_default_is_chosen(daemon):
    daemon.deploy("chosen", "export const api = { fetch: () => new Response('api') };\nexport default { fetch: () => new Response('default') };", handler="api")
    assert daemon.request("/chosen").text == "api"


def test_request_and_response_behave_like_those_of_node(daemon):
    daemon.deploy(
        "objects",
        """
        const check = {};
        export default {
          async fetch(request) {
            const copy = request.clone();
            const again = new Request(request, { headers: { "x-new": "1" } });
            const response = new Response("body", { headers: { a: "b" } });
            const cloned = response.clone();
            response.headers.append("a", "c");
            check.texts = [await copy.text(), await again.text()];
            check.newHeader = again.headers.get("x-new");
            check.cloneUnchanged = cloned.headers.get("a");
            check.appended = response.headers.get("a");
            check.cloneText = await cloned.text();
            check.instances = [request instanceof Request, again instanceof Request, response instanceof Response,
                               request.headers instanceof Headers, request.signal instanceof AbortSignal];
            check.used = [request.bodyUsed, copy.bodyUsed, response.bodyUsed];
            check.immutable = (() => { try { Response.error().headers.set("a", "b"); return false; } catch { return true; } })();
            check.tags = [Object.prototype.toString.call(request), Object.prototype.toString.call(response)];
            check.iterated = [...new Headers({ b: "2", a: "1" })].flat().join();
            check.redirect = Response.redirect("http://example.com/x", 301).headers.get("location");
            check.duplex = new URL(request.url).pathname;
            return Response.json(check);
          },
        };""",
    )
    got = daemon.request("/objects", "POST", body="text").json
    assert got == {
        "texts": ["text", "text"], "newHeader": "1", "cloneUnchanged": "b", "appended": "b, c", "cloneText": "body",
        "instances": [True] * 5, "used": [True, True, False], "immutable": True,
        "tags": ["[object Request]", "[object Response]"], "iterated": "a,1,b,2",
        "redirect": "http://example.com/x", "duplex": "/",
    }
