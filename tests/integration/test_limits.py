"""Limits: header, body, slow clients, connections, the queue. Each answer names the limit."""

import http.client
import os
import resource
import socket
import time

import pytest

HELLO = 'export default { fetch: () => new Response("hello") };\n'
SIZE = "export default { async fetch(request) { return new Response(String((await request.arrayBuffer()).byteLength)); } };\n"


def test_a_header_that_is_too_large(daemon):
    daemon.deploy("hello", HELLO)
    with daemon.wire() as wire:
        wire.get("/hello", "X-Large: " + "x" * 200_000 + "\r\n")
        answer = wire.answer()
        assert answer.status == 431
        assert answer.problem.startswith("urn:mayfly:")
    assert daemon.request("/hello").text == "hello"


LARGE = """export default { fetch(request) {
  const part = new Uint8Array(40_000);
  if (request.url.endsWith("whole")) return new Response(new Uint8Array(120_000));
  const headers = request.url.endsWith("announced") ? { "Content-Length": "120000" } : {};
  return new Response(new ReadableStream({ pull: (stream) => stream.enqueue(part) }), { headers });
} };
"""


def test_an_answer_that_is_too_large(daemon):
    daemon.deploy("large", LARGE, max_response="100KiB", timeout="60s")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        daemon.request("/large/endless")  # the head is sent: what follows can only break off
    for path in ("/large/whole", "/large/announced"):  # known before
        answer = daemon.request(path)
        assert (answer.status, answer.problem, answer.json["limit"]) == (502, "urn:mayfly:pool:answer-too-large", "100KiB"), path
    failures = daemon.describe("large")["live"]["failures"]
    assert len(failures) == 3
    for failure in failures:
        assert failure["type"].endswith("pool:answer-too-large"), failures
    daemon.deploy("large", LARGE, max_response="50KiB")
    small = daemon.request("/large/whole")  # now the first part is too large already
    assert small.status == 502 and small.json["type"].endswith("pool:answer-too-large")
    assert small.json["limit"] == "50KiB"


def test_headers_of_some_kilobytes_are_fine(daemon):
    daemon.deploy("hello", HELLO)
    assert daemon.request("/hello", headers={"x-large": "x" * 6000}).text == "hello"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(daemon, chunked):
    daemon.deploy("size", SIZE, max_request="100KiB")
    assert daemon.request("/size", "POST", body=b"x" * 102_400).text == "102400"
    with daemon.wire() as wire:
        head = "POST /size HTTP/1.1\r\nHost: x\r\n"
        if chunked:
            wire.send(head + "Transfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(40):
                    wire.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            except OSError:
                pass  # refused while we were still sending
        else:
            wire.send(head + "Content-Length: 102401\r\n\r\n")
        answer = wire.answer()
    assert answer.status == 413, answer
    assert (answer.json["detail"], answer.json["limit"]) == ("the request's body is larger than max_request, 100KiB", "100KiB")
    assert daemon.request("/size", "POST", body=b"abc").text == "3"


def test_a_client_that_never_ends_its_header(start_daemon):
    daemon = start_daemon("--header-timeout", "1s")
    daemon.deploy("hello", HELLO)
    with daemon.wire() as wire:
        began = time.monotonic()
        wire.send("GET /hello HTTP/1.1\r\nHost: x\r\n")
        got = wire.rest()
        took = time.monotonic() - began
    assert got == b"" or got.startswith(b"HTTP/1.1 408")
    assert 0.5 < took < 4
    # Byte by byte does not buy more time.
    with daemon.wire() as wire:
        began = time.monotonic()
        try:
            for byte in b"GET /hello HTTP/1.1\r\nX-Slow: " + b"x" * 1000:
                wire.send(bytes([byte]))
                time.sleep(0.05)
                assert time.monotonic() - began < 4, "a slow header is read for ever"
        except OSError:
            pass


def test_connections_are_limited(start_daemon):
    daemon = start_daemon("--max-connections", "20")
    daemon.deploy("hello", HELLO)
    held = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(30)]
    time.sleep(0.3)

    def served(connection) -> bool:
        connection.settimeout(2)
        try:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            return b"200 OK" in connection.recv(1000)
        except OSError:
            return False

    outcome = [served(connection) for connection in held]
    assert 1 <= sum(outcome) <= 20
    for connection in held:
        connection.close()
    from support.processes import eventually

    eventually(lambda: daemon.request("/hello").status == 200, what="a connection to be free again")


def test_without_descriptors_the_door_waits_instead_of_spinning(start_daemon):
    daemon = start_daemon()
    daemon.deploy("hello", HELLO)
    pid = daemon.process.pid

    def computed() -> float:
        times = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")

    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 10, hard))
    held = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(40)]
    before = computed()
    time.sleep(2)  # the time in which it must do nothing
    assert computed() - before < 0.4
    for connection in held:
        connection.close()
    assert daemon.request("/hello").status == 200


def test_a_full_queue_is_answered_with_503_and_when_to_come_again(daemon):
    daemon.deploy(
        "narrow", "export default { async fetch() { await new Promise((r) => setTimeout(r, 300)); return new Response('ok'); } };",
        max_instances="1", concurrency="1", queue="2",
    )
    assert daemon.request("/narrow").status == 200
    wires = [daemon.wire() for _ in range(8)]
    for wire in wires:
        wire.get("/narrow")
    answers = [wire.answer() for wire in wires]
    for wire in wires:
        wire.close()
    statuses = sorted(answer.status for answer in answers)
    assert statuses.count(200) >= 3 and statuses.count(503) >= 1, statuses
    refused = next(answer for answer in answers if answer.status == 503)
    assert int(refused.header("retry-after")) >= 1
    assert refused.problem == "urn:mayfly:scheduler:queue-full"


def test_waiting_counts_towards_the_deadline(daemon):
    daemon.deploy(
        "waits", "export default { async fetch() { await new Promise((r) => setTimeout(r, 400)); return new Response('ok'); } };",
        max_instances="1", concurrency="1", timeout="600ms",
    )
    wires = [daemon.wire() for _ in range(4)]
    began = time.monotonic()
    for wire in wires:
        wire.get("/waits")
    answers = [wire.answer() for wire in wires]
    took = time.monotonic() - began
    for wire in wires:
        wire.close()
    assert sorted(answer.status for answer in answers).count(504) >= 2, [answer.status for answer in answers]
    assert took < 2


def test_refusals_are_counted_by_their_reason_and_not_logged(daemon):
    daemon.deploy("refuses", SIZE, max_request="1KiB", rate_limit="3/h")
    answers = [daemon.request("/refuses", "POST", body=b"x" * size).status for size in (2000, 2000, 1000, 1000, 1000)]
    assert answers == [413, 413, 200, 429, 429]
    reasons = {"gateway:body-too-large": 2, "access:rate-limited": 2}
    assert daemon.admin("/v1/functions/refuses").json["live"]["refused"] == reasons
    metrics = daemon.admin("/metrics").text
    for reason, count in reasons.items():
        assert f'mayfly_refusals_total{{function="refuses",reason="{reason}"}} {count}\n' in metrics
    assert "access:rate-limited" in daemon.cli("describe", "refuses").stdout
    assert daemon.cli("logs", "refuses").stdout == ""
