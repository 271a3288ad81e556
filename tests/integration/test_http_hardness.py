"""Clients that do not mean well, and clients that do not know better.

The table is HTTP/1.1 (RFC 9112 and 9110): bytes in, the answers that must come, whether the connection is over
then, and what the function saw of it: exactly that, never a second request that somebody put inside of the first.
Below it: attacks by time and number. While each of them runs a neighbour's requests are answered, and when it is
over nothing of it is left.
"""

import json
import random
import resource
import socket
import threading
from dataclasses import dataclass, field

import pytest

from support import http, processes
from support.load import Load

RECORD = """
let seen = [];
export default async (request) => {
  const url = new URL(request.url);
  if (url.pathname === "/seen") { const all = seen; seen = []; return Response.json(all); }
  const body = request.body ? await request.text() : "";
  const headers = Object.fromEntries(request.headers);
  delete headers.traceparent;
  seen.push([request.method, url.pathname + url.search, body, url.host, headers]);
  return new Response(url.pathname);
};
"""
LARGE = """
export default (request) => {
  let left = Number(new URL(request.url).searchParams.get("mb") ?? 64);
  return new Response(new ReadableStream({ pull: (stream) => left-- > 0 ? stream.enqueue(new Uint8Array(1 << 20)) : stream.close() }));
};
"""
HELLO = 'export default () => new Response("hello");'


@pytest.fixture(scope="module")
def server(start_daemon):
    # The connections of the floods and this process's own.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    daemon = start_daemon("--header-timeout", "4s", "--idle-timeout", "5s", "--threads", "1")
    daemon.deploy("rec", RECORD, max_instances="1", concurrency="100", min_instances="1")
    daemon.deploy("large", LARGE)
    daemon.deploy("hello", HELLO)
    yield daemon
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def seen(daemon) -> list:
    return daemon.request("/rec/seen").json


# --- The table ---------------------------------------------------------------------------------------------


@dataclass
class Case:
    sent: bytes
    statuses: list[int]
    closes: bool = True
    saw: list[tuple[str, str, str]] = field(default_factory=list)  # method, target, body
    headers: dict[str, str | None] = field(default_factory=dict)  # of the first; None: must not be there


def get(target: str = "/rec/a", head: str = "", version: str = "1.1") -> bytes:
    return f"GET {target} HTTP/{version}\r\nHost: x\r\n{head}\r\n".encode("latin-1")


def post(head: str, body: str = "", target: str = "/rec/a") -> bytes:
    return f"POST {target} HTTP/1.1\r\nHost: x\r\n{head}\r\n{body}".encode("latin-1")


def chunked(body: str, head: str = "") -> bytes:
    return post(f"Transfer-Encoding: chunked\r\n{head}", body)


HIDDEN = "GET /rec/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
A = [("GET", "/a", "")]
HELLO_BODY = [("POST", "/a", "hello")]
OK = {"statuses": [200], "closes": False}
REFUSED = {"statuses": [400]}

CASES = {
    # Where a body ends (RFC 9112, section 6): two ways to read it are none.
    "both lengths": Case(post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "both lengths, the other way": Case(post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "two lengths": Case(post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello" + HIDDEN), **REFUSED),
    "the same length twice": Case(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello" + HIDDEN), **REFUSED),
    "two lengths in one field": Case(post("Content-Length: 5, 6\r\n", "hello"), **REFUSED),
    "the same length twice in one field": Case(post("Content-Length: 5, 5\r\n", "hello"), **REFUSED),
    "a length with a sign": Case(post("Content-Length: +5\r\n", "hello"), **REFUSED),
    "a negative length": Case(post("Content-Length: -5\r\n", "hello"), **REFUSED),
    "a length in hexadecimal": Case(post("Content-Length: 0x5\r\n", "hello"), **REFUSED),
    "a length with a blank": Case(post("Content-Length: 5 5\r\n", "hello"), **REFUSED),
    "an empty length": Case(post("Content-Length:\r\n", "hello"), **REFUSED),
    "a length of more than 64 bits": Case(post("Content-Length: 18446744073709551621\r\n", "hello"), **REFUSED),
    "a length of 63 bits": Case(post("Content-Length: 9223372036854775807\r\n", "hello"), [413]),
    "a length with zeros in front": Case(post("Content-Length: 0005\r\n", "hello"), **OK, saw=HELLO_BODY),
    "chunked, identity": Case(post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "identity, chunked": Case(post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "identity": Case(post("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"), **REFUSED),
    "xchunked": Case(post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "chunked in quotes": Case(post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n" + HIDDEN), **REFUSED),
    "chunked twice": Case(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "chunked, then another": Case(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "another, then chunked": Case(post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "a coding with a vertical tab": Case(post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "an empty coding": Case(post("Transfer-Encoding:\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "a coding in HTTP/1.0": Case(b"POST /rec/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", **REFUSED),
    "CHUNKED": Case(post("TRANSFER-ENCODING: CHUNKED\r\n", "5\r\nhello\r\n0\r\n\r\n"), **OK, saw=HELLO_BODY),
    "a GET with a body": Case(get(head=f"Content-Length: {len(HIDDEN)}\r\n") + HIDDEN.encode(), **OK, saw=[("GET", "/a", HIDDEN)]),
    # Chunks (section 7.1)
    "chunks": Case(chunked("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), **OK, saw=HELLO_BODY),
    "a size with zeros in front": Case(chunked("00000005\r\nhello\r\n000\r\n\r\n"), **OK, saw=HELLO_BODY),
    "a negative size": Case(chunked("-5\r\nhello\r\n0\r\n\r\n"), **REFUSED),
    "a size with a sign": Case(chunked("+5\r\nhello\r\n0\r\n\r\n"), **REFUSED),
    "a size with 0x": Case(chunked("0x5\r\nhello\r\n0\r\n\r\n" + HIDDEN), **REFUSED),
    "a size with a blank in front": Case(chunked(" 5\r\nhello\r\n0\r\n\r\n"), **REFUSED),
    "a size with a blank behind": Case(chunked("5 \r\nhello\r\n0\r\n\r\n"), **REFUSED),
    "an empty size": Case(chunked("\r\nhello\r\n0\r\n\r\n"), **REFUSED),
    "a size of more than 64 bits": Case(chunked("10000000000000005\r\nhello\r\n0\r\n\r\n" + HIDDEN), **REFUSED),
    "a size of 64 bits": Case(chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n" + "x" * (33 << 20)), [413]),
    "a size that is none": Case(chunked("hello\r\n0\r\n\r\n"), **REFUSED),
    "no line's end behind a chunk": Case(chunked("5\r\nhello0\r\n\r\n"), **REFUSED),
    "a chunk longer than its size": Case(chunked("5\r\nhello!\r\n0\r\n\r\n"), **REFUSED),
    "bare line feeds between chunks": Case(chunked("5\nhello\n0\n\n"), **REFUSED),
    "a bare line feed behind a size": Case(chunked("5\nhello\r\n0\r\n\r\n"), **REFUSED),
    "a bare carriage return behind a size": Case(chunked("5\rhello\r\n0\r\n\r\n"), **REFUSED),
    "a chunk extension": Case(chunked('5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n'), **OK, saw=HELLO_BODY),
    "a line feed in a chunk extension": Case(chunked('5;a="\n"\r\nhello\r\n0\r\n\r\n'), **REFUSED),
    "a line feed in the last extension": Case(chunked('5\r\nhello\r\n0;a="\n"\r\n\r\n'), **REFUSED),
    "a chunk extension that is none": Case(chunked("5;=\r\nhello\r\n0\r\n\r\n"), **REFUSED),
    "a chunk extension without end": Case(chunked("5;a=" + "x" * 200_000), [431]),
    "trailers": Case(chunked("5\r\nhello\r\n0\r\nX-Trailer: 1\r\nHost: evil\r\n\r\n"), **OK, saw=HELLO_BODY,
                     headers={"x-trailer": None, "host": "x"}),
    "trailers without end": Case(chunked("5\r\nhello\r\n0\r\n" + "X: y\r\n" * 40_000), [431]),
    "a length among the trailers": Case(chunked("5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n" + HIDDEN), **REFUSED),
    "a trailer that is no field": Case(chunked("5\r\nhello\r\n0\r\nnonsense\r\n\r\n" + HIDDEN), **REFUSED),
    # Lines and fields (sections 2.2 and 5)
    "an empty line in front": Case(b"\r\n\r\n" + get(), **OK, saw=A),
    "bare line feeds": Case(b"GET /rec/a HTTP/1.1\nHost: x\n\n", **REFUSED),
    "a bare line feed behind a field": Case(get(head="X: y\nTransfer-Encoding: chunked\r\n"), **REFUSED),
    "a bare carriage return in a field": Case(get(head="X: y\rZ: z\r\n"), **REFUSED),
    "a bare carriage return in the first line": Case(b"GET /rec/a\rX HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "a blank before the colon": Case(post("Content-Length : 5\r\n", "hello"), **REFUSED),
    "a tab before the colon": Case(post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), **REFUSED),
    "a folded field": Case(get(head="X: a\r\n b\r\n"), **REFUSED),
    "a folded field with nothing in front": Case(post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n" + HIDDEN), **REFUSED),
    "a field folded to nothing": Case(get(head="X: a\r\n\t\r\n"), **REFUSED),
    "a fold behind the request line": Case(b"GET /rec/a HTTP/1.1\r\n Host: x\r\n\r\n", **REFUSED),
    "a zero byte in a field": Case(get(head="X: a\0b\r\n"), **REFUSED),
    "a zero byte in a name": Case(get(head="X\0Y: a\r\n"), **REFUSED),
    "a zero byte in the target": Case(get("/rec/a\0b"), **REFUSED),
    "a field without a name": Case(get(head=": a\r\n"), **REFUSED),
    "a field without a colon": Case(get(head="nonsense\r\n"), **REFUSED),
    "a field with a name in brackets": Case(get(head="(x): a\r\n"), **REFUSED),
    "an empty field": Case(get(head="X-Empty:\r\n"), **OK, saw=A, headers={"x-empty": ""}),
    "blanks around a value": Case(get(head="X-Blank: \t a b \t \r\n"), **OK, saw=A, headers={"x-blank": "a b"}),
    "bytes beyond ASCII in a value": Case(get(head="X-Latin: caf\xe9\r\n"), **OK, saw=A),
    # The request line (section 3)
    "two blanks": Case(b"GET  /rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "a blank in the target": Case(b"GET /rec/a b HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "no version": Case(b"GET /rec/a\r\nHost: x\r\n\r\n", **REFUSED),
    "a version in small letters": Case(b"GET /rec/a http/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "HTTP/1.2": Case(get(version="1.2"), [505]),
    "HTTP/2.0": Case(get(version="2.0"), [505]),
    "HTTP/0.9": Case(b"GET /rec/a\r\n", **REFUSED),
    "the preface of HTTP/2": Case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", [505]),
    "TLS": Case(bytes.fromhex("16030100ba010000b60303") + bytes(178), **REFUSED),
    "a long target": Case(get("/rec/a?" + "x" * 40_000), [414]),
    "a long method": Case(b"G" * 40_000 + b" /rec/a HTTP/1.1\r\nHost: x\r\n\r\n", [414]),
    "a large field": Case(get(head="X: " + "x" * 40_000 + "\r\n"), [431]),
    "many fields": Case(get(head="".join(f"X-{i}: y\r\n" for i in range(5000))), [431]),
    "as many fields as there is room for": Case(get(head="a:\r\n" * 8000), **OK, saw=A),
    "an unknown method": Case(b"BREW /rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **OK, saw=[("BREW", "/a", "")]),
    "a method in small letters": Case(b"get /rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **OK, saw=[("get", "/a", "")]),
    "a method that is no token": Case(b"G(T /rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "absolute form": Case(b"GET http://shop.example:81/rec/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", **OK,
                          saw=[("GET", "/a?b=c", "")], headers={"host": "shop.example:81"}),
    "absolute form of https, in capitals": Case(b"GET HTTPS://shop.example/rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **OK, saw=A,
                                                headers={"host": "shop.example"}),
    "absolute form in HTTP/1.0": Case(b"GET http://shop.example/rec/a HTTP/1.0\r\n\r\n", [200], True, A, {"host": "shop.example"}),
    "absolute form without a path": Case(b"GET http://x?a HTTP/1.1\r\nHost: x\r\n\r\n", [404], False),
    "absolute form without a Host": Case(b"GET http://x/rec/a HTTP/1.1\r\n\r\n", **REFUSED),
    "absolute form with a user": Case(b"GET http://user@x/rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "absolute form without an authority": Case(b"GET http:///rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "absolute form of another scheme": Case(b"GET ftp://x/rec/a HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "authority form": Case(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "authority form with GET": Case(b"GET x:443 HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    "asterisk form": Case(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", [404], False),
    "asterisk form with GET": Case(b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", **REFUSED),
    # Host (section 3.2)
    "no host": Case(b"GET /rec/a HTTP/1.1\r\n\r\n", **REFUSED),
    "two hosts": Case(get(head="Host: y\r\n"), **REFUSED),
    "the same host twice": Case(get(head="Host: x\r\n"), **REFUSED),
    "an empty host": Case(b"GET /rec/a HTTP/1.1\r\nHost:\r\n\r\n", **OK, saw=A),
    "a host with a path": Case(b"GET /rec/a HTTP/1.1\r\nHost: x/y\r\n\r\n", **REFUSED),
    "a host with a user": Case(b"GET /rec/a HTTP/1.1\r\nHost: a@x\r\n\r\n", **REFUSED),
    "two hosts in one field": Case(b"GET /rec/a HTTP/1.1\r\nHost: x, y\r\n\r\n", **REFUSED),
    "a host with a port that is none": Case(b"GET /rec/a HTTP/1.1\r\nHost: x:8a\r\n\r\n", **REFUSED),
    "a host in brackets": Case(b"GET /rec/a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", **OK, saw=A, headers={"host": "[::1]:80"}),
    "a host with brackets that do not close": Case(b"GET /rec/a HTTP/1.1\r\nHost: [::1\r\n\r\n", **REFUSED),
    # Connections (section 9)
    "HTTP/1.0": Case(b"GET /rec/a HTTP/1.0\r\n\r\n" + HIDDEN.encode(), [200], True, A),
    "HTTP/1.0 that stays": Case(b"GET /rec/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [200], False, A),
    "close": Case(get(head="Connection: close\r\n") + HIDDEN.encode(), [200], True, A),
    "close among others, in capitals": Case(get(head="Connection: x, CLOSE\r\n") + HIDDEN.encode(), [200], True, A),
    "two at once": Case(get() + get("/rec/b"), [200, 200], False, [("GET", "/a", ""), ("GET", "/b", "")]),
    "a good one, then nonsense": Case(get() + b"nonsense\r\n\r\n" + HIDDEN.encode(), [200, 400], True, A),
    "fields that Connection names": Case(
        get(head="X-Before: 1\r\nConnection: x-before, X-After\r\ntraceparent: x\r\nX-After: 2\r\nX-Kept: 3\r\n"), **OK, saw=A,
        headers={"x-before": None, "x-after": None, "x-kept": "3", "connection": None}),
    "Connection cannot take away the host": Case(get(head="Connection: host, content-length\r\n"), **OK, saw=A, headers={"host": "x"}),
    "nor the length": Case(post("Connection: content-length\r\nContent-Length: 5\r\n", "hello"), **OK, saw=HELLO_BODY),
    "fields of the connection": Case(get(head="Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: x\r\n"), **OK, saw=A,
                                     headers={"keep-alive": None, "te": None, "upgrade": None, "proxy-connection": None}),
    "a prefix that the client made up": Case(get(head="X-Forwarded-Prefix: /evil\r\nx-forwarded-PREFIX: /evil\r\n"), **OK, saw=A,
                                             headers={"x-forwarded-prefix": "/rec"}),
    # Expect (RFC 9110, section 10.1.1)
    "100-continue": Case(post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), **OK, saw=HELLO_BODY),
    "100-continue in HTTP/1.0": Case(b"POST /rec/a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", [200], True, HELLO_BODY),
    "another expectation": Case(post("Expect: the-unexpected\r\nContent-Length: 5\r\n", "hello"), **OK, saw=HELLO_BODY),
}


def statuses(wire: http.Wire, count: int) -> list[int]:
    return [wire.answer().status for _ in range(count)]


@pytest.mark.parametrize("name", CASES)
def test_rfc_9112(server, name):
    case = CASES[name]
    with server.wire() as wire:
        try:
            wire.send(case.sent)
        except OSError:
            assert case.closes  # refused before all of it was sent
        assert statuses(wire, len(case.statuses)) == case.statuses
        if case.closes:
            assert wire.rest() == b""
        else:
            wire.get("/rec/after")
            assert wire.answer().body == b"/after"
    assert server.request("/hello").text == "hello"
    saw = [entry for entry in seen(server) if entry[1] != "/after"]
    assert [tuple(entry[:3]) for entry in saw] == case.saw
    for key, value in case.headers.items():
        assert saw[0][4].get(key) == value, saw[0][4]


def test_portions_do_not_widen_the_limit_of_a_header(server):
    """A field at a time, and the first byte of the next one: the parser has nothing left over in between."""
    with server.wire() as wire:
        wire.send("GET /rec/a HTTP/1.1\r\nHost: x\r\nX")
        part = "-: " + "y" * 1000 + "\r\nX"
        try:
            for _ in range(100):
                wire.send(part)
                assert server.request("/hello").status == 200  # by then the part has been read
        except OSError:
            pass
        assert wire.answer().status == 431
    assert seen(server) == []


def test_a_header_may_be_as_large_as_is_allowed(start_daemon):
    daemon = start_daemon("--max-header", "512KiB")
    daemon.deploy("rec", RECORD)
    with daemon.wire() as wire:
        wire.get("/rec/a", "X-Large: " + "x" * 300_000 + "\r\n")
        assert wire.answer().status == 200
    assert len(seen(daemon)[0][4]["x-large"]) == 300_000


def test_nothing_but_bytes(server):
    generator = random.Random(9112)
    for _ in range(50):
        with server.wire() as wire:
            try:
                wire.send(generator.randbytes(generator.randint(1, 5000)))
                wire.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = wire.rest()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert seen(server) == []


def test_a_thousand_requests_at_once(server):
    with server.wire(timeout=60) as wire:
        sender = threading.Thread(target=wire.send, args=("".join(f"GET /rec/{i} HTTP/1.1\r\nHost: x\r\n\r\n" for i in range(1000)),))
        sender.start()
        assert [wire.answer().body for _ in range(1000)] == [f"/{i}".encode() for i in range(1000)]
        sender.join()
    assert [entry[1] for entry in seen(server)] == [f"/{i}" for i in range(1000)]


def test_100_continue_comes_first_and_only_for_who_is_served(server):
    with server.wire() as wire:
        wire.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n"))
        assert wire.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send("hello")
        assert wire.answer().status == 200
    with server.wire() as wire:
        wire.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n", target="/nobody"))
        assert wire.until(b"\r\n").startswith(b"HTTP/1.1 404 ")
    assert [tuple(entry[:3]) for entry in seen(server)] == HELLO_BODY


# --- Attacks by time and number ------------------------------------------------------------------------------


def connections(daemon) -> int:
    return daemon.admin("/v1/status").json["connections"]


def resident(daemon) -> int:
    """Bytes of the daemon itself."""
    with open(f"/proc/{daemon.process.pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class Attack:
    """Connections of one kind, with a neighbour who is served all the time."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.wires: list[http.Wire] = []

    def __enter__(self) -> "Attack":
        self.daemon.request("/hello")
        self.before = resident(self.daemon)
        self.neighbour = Load(f"{self.daemon.url}/hello", threads=1).__enter__()
        return self

    def open(self, count: int, sent: bytes = b"", **more) -> list[http.Wire]:
        new = []
        for _ in range(count):
            new.append(self.daemon.wire(**more))
            if sent:
                new[-1].send(sent)
        self.wires += new
        # All of them are the daemon's (besides those of the neighbour).
        processes.eventually(lambda: connections(self.daemon) >= len(self.wires), 30, f"{count} connections")
        return new

    def neighbour_is_served(self) -> None:
        self.neighbour.wait_for(20)

    def __exit__(self, failure, *_) -> None:
        for wire in self.wires:
            wire.close()
        outcomes = self.neighbour.stop()
        if failure:
            return
        assert set(outcomes) == {(200, "hello")}, outcomes
        processes.eventually(lambda: connections(self.daemon) == 0, 30, "no connection is left")
        processes.eventually(lambda: resident(self.daemon) < self.before + (16 << 20), 30, "the memory is free again")


def test_a_thousand_idle_connections(server):
    with Attack(server) as attack:
        wires = attack.open(1000)
        attack.neighbour_is_served()
        # None of them may stay as long as it likes.
        assert all(wire.rest() == b"" for wire in wires)


def test_a_thousand_connections_idle_after_a_request(server):
    with Attack(server) as attack:
        wires = attack.open(1000, get("/hello"))
        assert all(wire.answer().body == b"hello" for wire in wires)
        attack.neighbour_is_served()
        assert all(wire.rest() == b"" for wire in wires)


def test_a_thousand_headers_that_do_not_end(server):
    with Attack(server) as attack:
        wires = attack.open(1000, b"GET /hello HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000)
        attack.neighbour_is_served()
        assert all(wire.answer().status == 408 and wire.rest() == b"" for wire in wires)


def trickle(wires: list[http.Wire], part: bytes, until: threading.Event) -> None:
    """A little on every connection, again and again."""
    left = list(wires)
    while left and not until.wait(0.05):
        for wire in list(left):
            try:
                wire.send(part)
            except OSError:
                left.remove(wire)


@pytest.mark.parametrize("start, part, expected", [
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: x\r\nX: ", b"y", 408, id="header"),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", 408, id="fields"),
    pytest.param(b"POST /slow/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"z", 504, id="body"),
    pytest.param(b"POST /slow/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nz\r\n", 504, id="chunks"),
    pytest.param(b"POST /slow/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"z", 504, id="extension"),
])
def test_a_trickle(server, start, part, expected):
    """Bytes that keep coming do not put off the limit: the header's time, then the function's deadline."""
    server.deploy("slow", RECORD, timeout="1s", concurrency="100")
    with Attack(server) as attack:
        wires = attack.open(100, start)
        over = threading.Event()
        drip = threading.Thread(target=trickle, args=(wires, part, over))
        drip.start()
        try:
            attack.neighbour_is_served()
            assert {wire.answer().status for wire in wires} == {expected}
        finally:
            over.set()
            drip.join()


def test_empty_lines_are_no_sign_of_life(server):
    with Attack(server) as attack:
        wires = attack.open(50)
        over = threading.Event()
        drip = threading.Thread(target=trickle, args=(wires, b"\r\n", over))
        drip.start()
        try:
            for wire in wires:
                assert wire.rest() == b""
        finally:
            over.set()
            drip.join()


def test_readers_that_do_not_read(server):
    """64 MB for each: what is made waits in the function, not in the daemon."""
    with Attack(server) as attack:
        wires = attack.open(20, get("/large"), receive_buffer=4096)
        assert all(wire.head().status == 200 for wire in wires)
        attack.neighbour_is_served()
        assert resident(server) < attack.before + (64 << 20)
        # The connections end, although nobody reads: the function's deadline, or no progress for too long.
        processes.eventually(lambda: connections(server) <= 1, 40, "the connections end")


def test_a_reader_who_takes_his_time_gets_everything(server):
    with server.wire(receive_buffer=4096) as wire:
        wire.get("/large?mb=4")
        assert len(wire.answer().body) == 4 << 20


def test_half_a_request_and_gone(server):
    with Attack(server) as attack:
        for sent in (b"GET /hel", get()[:-2], post("Content-Length: 10\r\n", "hello"), chunked("5\r\nhel"), get("/large")):
            for _ in range(50):
                with server.wire() as wire:
                    wire.send(sent)
        attack.neighbour_is_served()


def test_who_comes_when_there_is_no_room(start_daemon):
    daemon = start_daemon("--max-connections", "50", "--threads", "1")
    daemon.deploy("hello", HELLO)
    wires = [daemon.wire() for _ in range(50)]
    processes.eventually(lambda: connections(daemon) == 50, what="all are connected")
    with daemon.wire() as wire:
        answer = wire.answer()
        assert (answer.status, answer.problem) == (503, "urn:mayfly:gateway:too-many-connections")
    for wire in wires:
        wire.close()
    processes.eventually(lambda: connections(daemon) == 0, what="they are gone")
    assert daemon.request("/hello").text == "hello"
