"""Frameworks from npm, deployed as they come."""

import shutil

import pytest

from support.daemon import PACKAGES


@pytest.fixture
def project(tmp_path):
    """make(files, *packages): a folder with node_modules that holds these packages and what they need."""

    def make(files: dict[str, str], modules: bool = True):
        folder = tmp_path / "project"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
        if modules:
            shutil.copytree(
                PACKAGES / "node_modules", folder / "node_modules", symlinks=True,
                ignore=shutil.ignore_patterns("node-newest-*", ".bin", "*.map", "*.d.ts", "*.md"),
            )
        return folder

    return make


PACKAGE = '{"name": "app", "private": true, "main": "index.js", "type": "%s"}'


def test_hono(daemon, project):
    folder = project({
        "package.json": PACKAGE % "module",
        "index.js": """
            import { Hono } from "hono";
            import { cors } from "hono/cors";
            import { streamText } from "hono/streaming";
            import { getCookie, setCookie } from "hono/cookie";
            const app = new Hono();
            app.use("/api/*", cors());
            app.get("/", (c) => c.text("Hono!"));
            app.get("/api/hello/:name", (c) => c.json({ hello: c.req.param("name"), q: c.req.query("q") }));
            app.post("/form", async (c) => c.json(await c.req.parseBody()));
            app.get("/cookie", (c) => { setCookie(c, "seen", "yes"); setCookie(c, "also", "this"); return c.text(getCookie(c, "in") ?? "none"); });
            app.get("/stream", (c) => streamText(c, async (stream) => { for (const w of ["a", "b", "c"]) { await stream.write(w); await stream.sleep(5); } }));
            app.get("/boom", () => { throw new Error("hono catches"); });
            export default app;
        """,
    })
    daemon.cli("deploy", folder, "--name", "hono")
    assert daemon.request("/hono").text == "Hono!"
    answer = daemon.request("/hono/api/hello/ada?q=1")
    assert answer.json == {"hello": "ada", "q": "1"}
    assert answer.header("access-control-allow-origin") == "*"
    form = daemon.request("/hono/form", "POST", body="a=1&b=two", headers={"content-type": "application/x-www-form-urlencoded"})
    assert form.json == {"a": "1", "b": "two"}
    answer = daemon.request("/hono/cookie", headers={"cookie": "in=side"})
    assert answer.text == "side" and len(answer.all("set-cookie")) == 2
    assert daemon.request("/hono/stream").text == "abc"
    assert daemon.request("/hono/boom").status == 500
    assert daemon.request("/hono/nowhere").status == 404


def test_itty_router(daemon, project):
    folder = project({
        "package.json": PACKAGE % "module",
        "index.js": """
            import { AutoRouter, error, withParams } from "itty-router";
            const router = AutoRouter();
            router
              .get("/hello/:name", ({ params }) => `Hello, ${params.name}!`)
              .get("/json", () => ({ automatic: true }))
              .post("/todos", async (request) => ({ created: await request.json() }))
              .get("/gone", () => error(410, "gone"));
            export default { ...router };
        """,
    })
    daemon.cli("deploy", folder, "--name", "itty")
    assert "Hello, ada!" in daemon.request("/itty/hello/ada").text
    assert daemon.request("/itty/json").json == {"automatic": True}
    assert daemon.request("/itty/todos", "POST", json={"a": 1}).json == {"created": {"a": 1}}
    assert daemon.request("/itty/gone").status == 410
    assert daemon.request("/itty/nowhere").status == 404


@pytest.mark.parametrize("package", ["express", "express4"])
def test_express(daemon, project, package):
    folder = project({
        "package.json": PACKAGE % "commonjs",
        "index.js": f"""
            const express = require("{package}");
            const app = express();
            app.use(express.json());
            app.use(express.urlencoded({{ extended: true }}));
            app.get("/", (req, res) => res.send("Express!"));
            app.get("/user/:id", (req, res) => res.set("x-id", req.params.id).json({{ id: req.params.id, q: req.query.q }}));
            app.post("/json", (req, res) => res.status(201).json(req.body));
            app.post("/form", (req, res) => res.json(req.body));
            app.get("/redirect", (req, res) => res.redirect("/elsewhere"));
            app.get("/cookies", (req, res) => res.cookie("a", "1").cookie("b", "2").end());
            app.get("/file", (req, res) => res.sendFile(__dirname + "/package.json"));
            app.get("/slow", async (req, res) => {{ for (const part of "abc") {{ res.write(part); await new Promise((r) => setTimeout(r, 5)); }} res.end(); }});
            app.get("/boom", () => {{ throw new Error("express catches"); }});
            module.exports = app;
        """,
    })
    name = package
    daemon.cli("deploy", folder, "--name", name)
    assert daemon.request(f"/{name}").text == "Express!"
    answer = daemon.request(f"/{name}/user/7?q=x")
    assert answer.json == {"id": "7", "q": "x"} and answer.header("x-id") == "7"
    assert answer.header("etag")
    again = daemon.request(f"/{name}/user/7?q=x", headers={"if-none-match": answer.header("etag")})
    assert again.status == 304
    assert daemon.request(f"/{name}/json", "POST", json={"deep": [1, {"a": None}]}).json == {"deep": [1, {"a": None}]}
    form = daemon.request(f"/{name}/form", "POST", body="a[b]=1", headers={"content-type": "application/x-www-form-urlencoded"})
    assert form.json == {"a": {"b": "1"}}
    assert daemon.request(f"/{name}/redirect").header("location") == "/elsewhere"
    assert len(daemon.request(f"/{name}/cookies").all("set-cookie")) == 2
    assert daemon.request(f"/{name}/file").json["name"] == "app"
    assert daemon.request(f"/{name}/slow").text == "abc"
    boom = daemon.request(f"/{name}/boom")
    assert boom.status == 500
    assert "express catches" not in boom.text and "index.js" not in boom.text  # NODE_ENV is production
    assert daemon.request(f"/{name}/nowhere").status == 404
    with daemon.wire() as wire:
        wire.send(f"HEAD /{name}/user/7 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer("HEAD").status == 200
        wire.get(f"/{name}")
        assert wire.answer().body == b"Express!"


def test_typescript_with_packages(daemon, project):
    folder = project({
        "package.json": '{"name": "app", "private": true, "type": "module", "main": "index.ts"}',
        "schema.ts": 'import { z } from "zod";\nexport const Point = z.object({ x: z.number(), y: z.number() });\n',
        "index.ts": """
            import { nanoid } from "nanoid";
            import { v4 } from "uuid";
            import { Point } from "./schema";
            export default {
              async fetch(request: Request): Promise<Response> {
                const point = Point.safeParse(await request.json());
                return Response.json({ ok: point.success, id: nanoid(10).length, uuid: v4().length });
              },
            };
        """,
    })
    daemon.cli("deploy", folder, "--name", "packages")
    assert daemon.request("/packages", "POST", json={"x": 1, "y": 2}).json == {"ok": True, "id": 10, "uuid": 36}
    assert daemon.request("/packages", "POST", json={"x": 1}).json["ok"] is False
