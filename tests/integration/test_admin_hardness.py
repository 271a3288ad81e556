"""The admin plane and those who should get nothing from it: pages of other origins, names that are made to lead here,
and clients that are slow or do not speak HTTP."""

import socket
import threading

import pytest

from support import http, processes

HELLO = """export default () => new Response("hello", {
  headers: { "access-control-allow-origin": "*", "cache-control": "public, max-age=60", "x-own": "1" } });"""


@pytest.fixture(scope="module")
def server(start_daemon):
    daemon = start_daemon("--admin-host", "Admin.example,tunnel:9000")
    daemon.deploy("hello", HELLO)
    return daemon


def ask(daemon, path="/v1/status", method="GET", token=True, **headers) -> http.Answer:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        fields["authorization"] = f"Bearer {daemon.token}"
    return http.request(daemon.admin_url + path, method, headers=fields)


def test_it_goes_by_its_own_names_only(server):
    port = server.admin_port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}", "admin.example", "admin.example:443", "tunnel:9000"):
        assert ask(server, host=host).status == 200, host
    for host in (f"evil.example:{port}", "evil.example", "localhost", f"localhost:{port + 1}", f"127.0.0.1.evil.example:{port}", "tunnel", "tunnel:1", ""):
        for path in ("/v1/status", "/healthz", "/nothing"):
            answer = ask(server, path, host=host)
            assert (answer.status, answer.problem) == (421, "urn:mayfly:admin:unknown-host"), (host, path)


def test_a_name_that_leads_here_gets_nothing_even_with_the_token(server):
    with http.Wire(server.admin_port) as wire:
        wire.send(f"DELETE /v1/functions/hello HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {server.token}\r\n\r\n")
        assert wire.answer().status == 421
    assert server.request("/hello").text == "hello"


@pytest.mark.parametrize("head, status", [
    ("", 400),
    ("Host: localhost:{port}\r\nHost: localhost:{port}\r\n", 400),
    ("Host: localhost:{port}\r\nHost: evil.example\r\n", 400),
    ("Host: localhost:{port}\r\nTransfer-Encoding: xchunked\r\n", 400),
])
def test_what_two_readers_could_understand_differently(server, head, status):
    with http.Wire(server.admin_port) as wire:
        head = head.format(port=server.admin_port)
        wire.send(f"POST /v1/functions/hello/evict HTTP/1.1\r\n{head}Authorization: Bearer {server.token}\r\n\r\n")
        assert wire.answer().status == status
        assert wire.rest() == b""


def test_pages_of_other_origins_get_nothing(server):
    own = f"localhost:{server.admin_port}"
    for scheme in ("http", "https"):
        assert ask(server, host=own, origin=f"{scheme}://{own}").status == 200
    foreign = ["http://evil.example", "null", f"http://127.0.0.1:{server.admin_port}", "http://localhost:3000", ""]
    for origin in foreign:
        for method, path in (("GET", "/v1/status"), ("GET", "/healthz"), ("OPTIONS", "/v1/functions"), ("PUT", "/v1/functions/x")):
            answer = ask(server, path, method, host=own, origin=origin, access_control_request_method="PUT")
            assert (answer.status, answer.problem) == (403, "urn:mayfly:admin:cross-origin"), (origin, path)
            assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-")]
    for site in ("cross-site", "same-site"):
        assert ask(server, host=own, sec_fetch_site=site).status == 403
    assert ask(server, host=own, sec_fetch_site="same-origin").status == 200
    assert ask(server, host=own, sec_fetch_site="none").status == 200


def test_nothing_of_it_is_cached_or_for_other_origins(server):
    answers = [ask(server), ask(server, "/healthz"), ask(server, token=False), ask(server, "/nothing"), ask(server, "/v1/openapi.json"),
               ask(server, "/v1/functions/hello/logs"), ask(server, "/v1/functions/hello/invocations?path=/", "POST")]
    assert [answer.status for answer in answers] == [200, 200, 401, 404, 200, 200, 200]
    for answer in answers:
        assert answer.all("cache-control") == ["no-store"]
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-")]
    assert answers[-1].header("x-own") == "1"


def test_the_token_and_nothing_like_it(server):
    token = server.token
    for wrong in ("", "Bearer", "Bearer ", f"Basic {token}", f"Bearer {token[:-1]}", f"Bearer {token}x", f"Bearer {token[:-1]}x", token,
                  f"Bearer {token} {token}", f"Bearer {token},{token}", f"Bearer {token * 2}", f"Bearer {token.upper()}"):
        answer = ask(server, token=False, authorization=wrong)
        assert answer.status == 401, wrong
        assert answer.header("www-authenticate").startswith("Bearer")
        assert token not in answer.text
    assert ask(server, token=False, authorization=f"bearer  {token} ").status == 200


def test_idle_and_slow_connections_leave_room_for_others(server):
    """256 connections at once: those that never ask anything must go soon, not after a minute."""
    wires = [http.Wire(server.admin_port) for _ in range(300)]
    over = threading.Event()

    def trickle():
        while not over.wait(0.2):
            for wire in wires[:50]:
                try:
                    wire.send("GET")  # a header that never ends
                except OSError:
                    pass

    drip = threading.Thread(target=trickle)
    drip.start()
    try:
        assert server.request("/hello").text == "hello"  # the data plane has its own door

        def served():
            try:
                return ask(server).status == 200
            except OSError:
                return False

        processes.eventually(served, 30, "the admin plane answers again")
    finally:
        over.set()
        drip.join()
        for wire in wires:
            wire.close()

    def room_for_many():
        wires = [http.Wire(server.admin_port) for _ in range(200)]
        try:
            for wire in wires:
                wire.get("/healthz")
            return all(wire.answer().status for wire in wires)
        except (OSError, EOFError):
            return False
        finally:
            for wire in wires:
                wire.close()

    processes.eventually(room_for_many, 30, "those who have left are forgotten")


def test_strangers_make_room_for_those_with_a_token(server):
    request = f"GET /healthz HTTP/1.1\r\nHost: localhost:{server.admin_port}\r\n\r\n"
    wires = [http.Wire(server.admin_port) for _ in range(256)]
    try:
        for wire in wires:
            wire.send(request)
            assert wire.answer().status == 200
        assert ask(server).status == 200, "at once, whoever else is there"
        assert wires[0].rest() == b"", "the oldest is closed"
        wires[-1].send(request)
        assert wires[-1].answer().status == 200, "and the others are not"
    finally:
        for wire in wires:
            wire.close()


def test_portions_do_not_widen_the_limit_of_a_header(server):
    with http.Wire(server.admin_port) as wire:
        wire.send("GET /v1/status HTTP/1.1\r\nHost: x\r\nX")
        try:
            for _ in range(100):
                wire.send("-: " + "y" * 1000 + "\r\nX")
        except OSError:
            pass
        assert wire.answer().status == 431


def test_bodies_are_read_for_those_with_a_token_only(server):
    with http.Wire(server.admin_port) as wire:
        wire.send(f"PUT /v1/functions/x?file=x.js HTTP/1.1\r\nHost: localhost:{server.admin_port}\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
        assert wire.until(b"\r\n").startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\xba\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100, b"GET /v1/status\r\n\r\n", b"\r\n" * 50])
def test_what_is_no_http(server, sent):
    with http.Wire(server.admin_port) as wire:
        wire.send(sent)
        wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.rest()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert ask(server).status == 200
