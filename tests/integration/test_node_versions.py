"""The same addon on the oldest and newest Node at hand."""

import os
from pathlib import Path

import pytest

from support.daemon import PACKAGES

NEWEST = next(iter(sorted(PACKAGES.glob("node_modules/node-newest-*/bin/node"))), None)

SOURCE = """
import { readFile } from "node:fs/promises";
let served = 0;
export default {
  async fetch(request) {
    served++;
    if (request.url.endsWith("/loop")) for (;;) {}
    if (request.url.endsWith("/exit")) process.exit(5);
    await new Promise((resolve) => setTimeout(resolve, 1));
    await readFile(new URL(import.meta.url));
    return Response.json({ node: process.versions.node, served, body: await request.text(), random: Math.random() });
  },
};
"""


@pytest.mark.skipif(NEWEST is None, reason="npm has no Node for this processor")
def test_the_newest_node_serves(start_daemon):
    path = f"{Path(NEWEST).parent}:{os.environ['PATH']}"
    daemon = start_daemon(env={"PATH": path})
    daemon.deploy("new", SOURCE, file="index.mjs", concurrency="1", timeout="1s")
    daemon.deploy("typed", "export default { fetch: (r: Request) => new Response('typed') };", file="t.ts")
    first = daemon.request("/new", "POST", body="hello").json
    assert int(first["node"].split(".")[0]) >= 26
    assert first["body"] == "hello"
    for _ in range(20):
        assert daemon.request("/new").status == 200
    assert daemon.request("/new/exit").status == 502
    assert daemon.request("/new/loop").status == 504
    assert daemon.request("/new").status == 200
    assert daemon.request("/typed").text == "typed"
