"""Bodies that are sent while they are made, both ways, with back-pressure; clients that leave."""

import time

import pytest

from support.processes import eventually

STREAM = """
import { setTimeout as sleep } from "node:timers/promises";
const seen = { aborted: 0, cancelled: 0, produced: 0, reason: "" };
const encoder = new TextEncoder();

const routes = {
  // Ten parts, 30 ms apart.
  slowly: () => new Response(new ReadableStream({
    async start(controller) {
      for (let i = 0; i < 10; i++) { controller.enqueue(encoder.encode(`part ${i}\\n`)); await sleep(30); }
      controller.close();
    },
  })),
  // As many parts of 64 KiB as anybody takes, up to 400.
  gushing: () => {
    seen.produced = 0;
    const part = new Uint8Array(65536).fill(120);
    return new Response(new ReadableStream({
      pull(controller) {
        if (seen.produced >= 400) return controller.close();
        seen.produced++;
        controller.enqueue(part);
      },
      cancel() { seen.cancelled++; },
    }));
  },
  count: async (request) => {
    let bytes = 0, parts = 0;
    for await (const part of request.body) { bytes += part.length; parts++; }
    return Response.json({ bytes, parts });
  },
  // Answers with each part of the request as it comes.
  echo: (request) => new Response(request.body),
  // Reads the request slowly.
  sip: async (request) => {
    let bytes = 0;
    for await (const part of request.body) { bytes += part.length; if (bytes < 2_000_000) await sleep(5); }
    return Response.json({ bytes });
  },
  // Answers without having read the request.
  refuse: () => new Response("no thanks", { status: 403 }),
  forever: (request) => {
    request.signal.addEventListener("abort", () => { seen.aborted++; seen.reason = String(request.signal.reason?.name); });
    return new Response(new ReadableStream({
      async pull(controller) { controller.enqueue(encoder.encode("tick\\n")); await sleep(20); },
      cancel() { seen.cancelled++; },
    }), { headers: { "content-type": "text/event-stream" } });
  },
  wait: async (request) => {
    request.signal.addEventListener("abort", () => { seen.aborted++; });
    await sleep(5000, undefined, { signal: request.signal });
    return new Response("late");
  },
  // Promises ten bytes and gives more or less.
  lies: (request) => {
    const size = Number(new URL(request.url).searchParams.get("size"));
    return new Response(new ReadableStream({
      start(controller) { controller.enqueue(encoder.encode("z".repeat(size))); controller.close(); },
    }), { headers: { "content-length": "10" } });
  },
  seen: () => Response.json(seen),
};
export default { fetch: (request) => routes[new URL(request.url).pathname.slice(1)](request) };
"""


@pytest.fixture(scope="module")
def stream(daemon):
    # One instance, so that what it has seen can be asked.
    daemon.deploy("stream", STREAM, max_instances="1", concurrency="50", timeout="30s", file="index.mjs")
    return daemon


def seen(daemon) -> dict:
    return daemon.request("/stream/seen").json


def test_parts_arrive_when_they_are_made(stream):
    with stream.wire() as wire:
        began = time.monotonic()
        wire.get("/stream/slowly")
        assert wire.head().header("transfer-encoding") == "chunked"
        assert wire.chunk().startswith(b"part 0\n")
        first = time.monotonic() - began
        rest = b""
        while part := wire.chunk():
            rest += part
        whole = time.monotonic() - began
    assert rest.endswith(b"part 9\n")
    assert whole >= 0.27
    assert first < whole - 0.15, f"first part after {first:.3f} s of {whole:.3f} s"


def test_a_client_that_reads_slowly_slows_the_function_down(stream):
    with stream.wire(receive_buffer=65536) as wire:
        wire.get("/stream/gushing")
        wire.head()
        # Nobody reads: what was produced comes to rest, far below all 400 parts.
        last = -1

        def at_rest():
            nonlocal last
            time.sleep(0.2)
            before, last = last, seen(stream)["produced"]
            return before == last and last > 0

        eventually(at_rest, what="the producer to be held back")
        assert last < 200, f"{last} parts of 64 KiB were produced and nobody reads"
        total = 0
        while part := wire.chunk():
            total += len(part)
    assert total == 400 * 65536


def test_a_request_body_of_many_megabytes_is_streamed_in(stream):
    size = 20 << 20
    answer = stream.request("/stream/count", "POST", body=b"x" * size)
    assert answer.json["bytes"] == size
    assert answer.json["parts"] > 1, "the body was handed over in one piece"


def test_a_chunked_request_body(stream):
    with stream.wire() as wire:
        wire.send("POST /stream/count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for part in (b"hello", b"z" * 100_000, b"!"):
            wire.send(b"%x\r\n%s\r\n" % (len(part), part))
        wire.send("0\r\nX-Sum: 99\r\n\r\n")
        assert wire.answer().json["bytes"] == 100_006
        # The trailer was read away: the connection still works.
        wire.get("/stream/refuse")
        assert wire.answer().status == 403


def test_both_directions_at_once(stream):
    with stream.wire() as wire:
        wire.send("POST /stream/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send("5\r\nfirst\r\n")
        wire.head()
        assert wire.chunk() == b"first"
        wire.send("6\r\nsecond\r\n")
        assert wire.chunk() == b"second"
        wire.send("0\r\n\r\n")
        assert wire.chunk() == b""


def test_a_function_that_reads_slowly_slows_the_client_down(stream):
    size = 8 << 20
    with stream.wire(timeout=30) as wire:
        wire.send(f"POST /stream/sip HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
        wire.send(b"y" * size)
        assert wire.answer().json == {"bytes": size}


def test_an_answer_before_the_request_body_was_read(stream):
    with stream.wire() as wire:
        wire.send("POST /stream/refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        wire.send(b"z" * 1000)
        answer = wire.answer()
        assert (answer.status, answer.body) == (403, b"no thanks")


def test_expect_100_continue(stream):
    with stream.wire() as wire:
        wire.send("POST /stream/count HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert wire.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        wire.send("hello")
        assert wire.answer().json["bytes"] == 5


def test_a_client_that_leaves_aborts_the_signal(stream):
    before = seen(stream)
    with stream.wire() as wire:
        wire.get("/stream/wait")
        eventually(lambda: stream.describe("stream")["live"].get("busy", 1) > 0, what="the request to run")
        time.sleep(0.1)
    eventually(lambda: seen(stream)["aborted"] == before["aborted"] + 1, what="request.signal of a waiting handler")


def test_a_client_that_leaves_ends_a_streamed_answer(stream):
    before = seen(stream)
    with stream.wire() as wire:
        wire.get("/stream/forever")
        wire.head()
        assert wire.chunk().startswith(b"tick")
    eventually(lambda: seen(stream)["aborted"] == before["aborted"] + 1, what="request.signal of a streaming handler")
    eventually(lambda: seen(stream)["cancelled"] > before["cancelled"], what="cancel() of the answer's stream")
    assert seen(stream)["reason"] == "AbortError"


def test_a_client_that_leaves_in_the_middle_of_its_body(stream):
    with stream.wire() as wire:
        wire.send("POST /stream/count HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        time.sleep(0.1)
    assert stream.request("/stream/refuse").status == 403


@pytest.mark.parametrize("size", [5, 10, 30])
def test_an_answer_that_lies_about_its_length_harms_nobody(stream, size):
    """More bytes than were promised must not be read as the next answer; fewer must not hang the client."""
    with stream.wire() as wire:
        wire.get(f"/stream/lies?size={size}")
        wire.get("/stream/refuse", "Connection: close\r\n")
        head = wire.head()
        if head.status == 200 and head.header("content-length") == "10":
            got = wire.rest()
            sent, rest = got[:10], got[10:]
            assert (b"z" * 10).startswith(sent)
            # What comes next is an answer, or nothing: the connection was closed.
            assert rest == b"" or rest.startswith(b"HTTP/1.1 403"), got[:100]
            assert size != 10 or rest
        else:
            assert head.status in (200, 500, 502)
