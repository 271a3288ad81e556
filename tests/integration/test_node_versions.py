"""The same addon on other Nodes than the one in PATH: one in long-term support, and the newest at hand."""

import os
from pathlib import Path

import pytest

from support.daemon import PACKAGES

NODES = {name: next(iter(sorted(PACKAGES.glob(f"node_modules/node-{name}-*/bin/node"))), None) for name in ("22", "newest")}
OLDEST = {"22": 22, "newest": 26}

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


LAMBDA = """
export const handler = async (event, context) => {
  await new Promise((resolve) => setImmediate(resolve));
  return { statusCode: 201, body: `${event.rawPath} ${context.memoryLimitInMB}` };
};
"""


@pytest.mark.parametrize("node", NODES)
def test_another_node_serves(start_daemon, node):
    if NODES[node] is None:
        pytest.skip("npm has no such Node for this processor, or it is not installed")
    path = f"{Path(NODES[node]).parent}:{os.environ['PATH']}"
    daemon = start_daemon(env={"PATH": path})
    daemon.deploy("hello", "module.exports = (request, response) => response.end('hello');", file="hello.cjs")
    assert daemon.request("/hello").text == "hello"
    daemon.deploy("event", LAMBDA, file="event.mjs")
    assert (daemon.request("/event/x").status, daemon.request("/event/x").text) == (201, "/x 128")
    daemon.deploy("heap", "import v8 from 'node:v8'; export default { fetch: () => new Response(v8.getHeapStatistics().heap_size_limit) };",
                  memory="64MiB")
    assert int(daemon.request("/heap").text) < 200 << 20, "its heap has the limit of the function"
    daemon.deploy("new", SOURCE, file="index.mjs", concurrency="1", timeout="1s")
    daemon.deploy("typed", "export default { fetch: (r: Request) => new Response('typed') };", file="t.ts")
    first = daemon.request("/new", "POST", body="hello").json
    assert int(first["node"].split(".")[0]) >= OLDEST[node]
    assert first["body"] == "hello"
    for _ in range(20):
        assert daemon.request("/new").status == 200
    assert daemon.request("/new/exit").status == 502
    assert daemon.request("/new/loop").status == 504
    assert daemon.request("/new").status == 200
    assert daemon.request("/typed").text == "typed"
