"""Several shards: a connection serves functions of all of them, and moves from one to the other in between."""

import http.client
import json
import random
import threading

import pytest

from support import processes

NAMES = [f"f{i}" for i in range(12)]  # that all of them live on one shard has a chance of 1 in 2048

ECHO = """export default { async fetch(request) {
  const body = new Uint8Array(await request.arrayBuffer());
  let sum = 0;
  for (const byte of body) sum = (sum * 31 + byte) % 1000000007;
  return Response.json({ name: NAME, method: request.method, path: new URL(request.url).pathname, length: body.length, sum });
} };"""
STREAM = """export default { fetch(request) {
  let left = 20;
  return new Response(new ReadableStream({ async pull(controller) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (left-- === 0) return controller.close();
    controller.enqueue(new TextEncoder().encode((NAME + left + " ").repeat(3000)));
  } }));
} };"""
STREAMED = {name: "".join(f"{name}{left} " * 3000 for left in reversed(range(20))) for name in NAMES}
WAITS = "export default { async fetch() { await new Promise((r) => setTimeout(r, 60_000)); return new Response('late'); } };"


def sum_of(body: bytes) -> int:
    total = 0
    for byte in body:
        total = (total * 31 + byte) % 1_000_000_007
    return total


def expected(name: str, method: str, path: str, body: bytes) -> dict:
    return {"name": name, "method": method, "path": path, "length": len(body), "sum": sum_of(body)}


def request_of(name: str, path: str, body: bytes, chunk: int = 0) -> bytes:
    """POST as bytes; with `chunk`, its body in chunks of this size."""
    head = f"POST /{name}{path} HTTP/1.1\r\nHost: x\r\n"
    if not chunk:
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    return (f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
            + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n")


@pytest.fixture(scope="module")
def shards(start_daemon):
    daemon = start_daemon("--threads", "2")
    for name in NAMES:
        daemon.deploy(name, ECHO.replace("NAME", json.dumps(name)))
        daemon.deploy(f"{name}-stream", STREAM.replace("NAME", json.dumps(name)))
    return daemon


def test_one_connection_serves_functions_of_every_shard(shards):
    with shards.wire() as wire:
        for turn in range(60):
            name = NAMES[turn % len(NAMES)]
            body = bytes([turn]) * turn
            wire.send(request_of(name, f"/{turn}", body, chunk=7 * (turn % 2)))
            answer = wire.answer()
            assert answer.json == expected(name, "POST", f"/{turn}", body)


def test_pipelined_requests_move_with_the_connection(shards):
    bodies = [bytes([i]) * (i * 37) for i in range(100)]
    with shards.wire() as wire:
        wire.send(b"".join(request_of(NAMES[i * 5 % len(NAMES)], f"/{i}", body, chunk=100 * (i % 3))
                           for i, body in enumerate(bodies)))
        for i, body in enumerate(bodies):
            assert wire.answer().json == expected(NAMES[i * 5 % len(NAMES)], "POST", f"/{i}", body)


def test_bytes_may_be_cut_anywhere(shards):
    chance = random.Random(7)
    for _ in range(10):
        bodies = [chance.randbytes(chance.randrange(0, 3000)) for _ in range(8)]
        names = [chance.choice(NAMES) for _ in bodies]
        data = b"".join(request_of(name, "/", body, chunk=chance.choice([0, 50])) for name, body in zip(names, bodies))
        with shards.wire() as wire:
            answers = []
            reader = threading.Thread(target=lambda: answers.extend(wire.answer().json for _ in bodies))
            reader.start()
            while data:
                size = chance.choice([1, 5, 40, 400, 4000])
                wire.send(data[:size])
                data = data[size:]
            reader.join(30)
            assert answers == [expected(name, "POST", "/", body) for name, body in zip(names, bodies)]


def test_large_bodies_follow_a_connection_that_moves(shards):
    chance = random.Random(8)
    with shards.wire(timeout=60) as wire:
        for turn in range(12):
            body = chance.randbytes(700_000)
            sender = threading.Thread(target=wire.send, args=(request_of(NAMES[turn], "/big", body, chunk=50_000 * (turn % 2)),))
            sender.start()
            assert wire.answer().json == expected(NAMES[turn], "POST", "/big", body)
            sender.join(10)


def test_what_follows_a_streamed_answer_is_served_wherever_it_lives(shards):
    with shards.wire(timeout=60) as wire:
        wire.send(b"".join(f"GET /{name}-stream HTTP/1.1\r\nHost: x\r\n\r\n".encode() + request_of(NAMES[-1 - i], "/", b"after")
                           for i, name in enumerate(NAMES)))
        for i, name in enumerate(NAMES):
            assert wire.answer().body.decode() == STREAMED[name]
            assert wire.answer().json == expected(NAMES[-1 - i], "POST", "/", b"after")


def test_errors_between_moves_leave_the_connection_as_it_is(shards):
    with shards.wire() as wire:
        for name in NAMES:
            wire.get(f"/nobody-{name}")
            wire.get(f"/{name}@99")
            wire.get(f"/{name}")
            assert [wire.answer().status for _ in range(3)] == [404, 404, 200]


def test_under_concurrent_load_every_request_is_answered_rightly(shards):
    wrong, answered = [], []

    def client(seed: int) -> None:
        chance = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", shards.port, timeout=60)
        try:
            for turn in range(120):
                name = chance.choice(NAMES)
                if chance.random() < 0.1:
                    connection.request("GET", f"/{name}-stream")
                    answer, right = connection.getresponse().read().decode(), STREAMED[name]
                else:
                    body = chance.randbytes(chance.choice([0, 10, 1000, 60_000]))
                    pieces = (body[at : at + 5000] for at in range(0, len(body), 5000))
                    chunked = chance.random() < 0.3
                    connection.request("PUT", f"/{name}/{turn}", body=pieces if chunked else body, encode_chunked=chunked,
                                       headers={"Transfer-Encoding": "chunked"} if chunked else {})
                    answer, right = json.loads(connection.getresponse().read()), expected(name, "PUT", f"/{turn}", body)
                if answer != right:
                    wrong.append((seed, turn, name, str(answer)[:200]))
                answered.append(seed)
        except Exception as error:  # noqa: BLE001 (an answer that never came is as wrong as any)
            wrong.append((seed, repr(error)))
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a request hangs"
    assert not wrong, wrong[:5]
    assert len(answered) == 8 * 120


def test_who_leaves_after_a_move_is_noticed(shards):
    for name in ("wait-a", "wait-b", "wait-c"):
        shards.deploy(name, WAITS)
        with shards.wire() as wire:
            wire.send(request_of(NAMES[0], "/", b""))
            wire.answer()
            wire.get(f"/{name}")
            processes.eventually(lambda: shards.describe(name)["live"]["busy"] == 1, what="the request to run")
        processes.eventually(lambda: shards.describe(name)["live"]["invocations"]["cancelled"] == 1, what="it to be cancelled")
