"""HTTP/1.1 to the letter, as a client on a raw connection sees it."""

import re
import subprocess

import pytest

ECHO = """
export default {
  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/cookies": {
        const headers = new Headers();
        headers.append("set-cookie", "a=1; Path=/");
        headers.append("set-cookie", "b=2; HttpOnly");
        return new Response("cookies", { headers });
      }
      case "/empty": return new Response(null, { status: Number(url.searchParams.get("status")) });
      case "/bytes": return new Response(Uint8Array.from({ length: 256 }, (_, i) => i));
      case "/mirror": return new Response(await request.arrayBuffer(), { headers: { "content-type": "application/octet-stream" } });
      case "/length": return new Response("12345", { headers: { "content-length": "5" } });
      case "/latin": return new Response("x", { headers: { "x-latin": "caf\\u00e9" } });
      case "/evil": return new Response("x", { headers: { "connection": "close", "transfer-encoding": "chunked", "x-ok": "1" } });
    }
    return Response.json({ method: request.method, url: request.url, headers: [...request.headers] },
                         { headers: { "x-header": "there" } });
  },
};
"""


@pytest.fixture(scope="module")
def echo(daemon):
    daemon.deploy("echo", ECHO)
    return daemon


def test_every_answer_has_an_invocation_and_its_times(echo):
    answers = [echo.request("/echo") for _ in range(2)] + [echo.request("/nobody")]
    ids = [answer.header("mayfly-invocation") for answer in answers]
    assert all(ids) and len(set(ids)) == 3
    timing = answers[0].header("server-timing")
    assert all(name in timing for name in ("queue", "start", "run")), timing
    assert re.search(r"run;dur=[0-9.]+", timing)


def test_several_set_cookie_lines_stay_several(echo):
    assert echo.request("/echo/cookies").all("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


def test_head_has_the_head_of_get_and_no_body(echo):
    with echo.wire() as wire:
        wire.send("HEAD /echo/length HTTP/1.1\r\nHost: x\r\n\r\n")
        head = wire.answer("HEAD")
        assert head.status == 200
        assert head.header("content-length") == "5"
        # The next answer begins right after it.
        wire.get("/echo/length")
        assert wire.answer().body == b"12345"


@pytest.mark.parametrize("status", [204, 304, 205])
def test_answers_that_have_no_body(echo, status):
    with echo.wire() as wire:
        wire.get(f"/echo/empty?status={status}")
        head = wire.head()
        assert head.status == status
        if status == 204:
            assert head.header("content-length") is None and head.header("transfer-encoding") is None
        wire.buffer = b"" if status == 205 else wire.buffer
        if status != 205:
            wire.get("/echo/length")
            assert wire.answer().body == b"12345"


def test_all_bytes_survive_both_ways(echo):
    everything = bytes(range(256)) * 100
    assert echo.request("/echo/bytes").body == bytes(range(256))
    assert echo.request("/echo/mirror", "POST", body=everything).body == everything


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods(echo, method):
    assert echo.request("/echo", method).json["method"] == method


def test_request_headers_arrive(echo):
    with echo.wire() as wire:
        wire.get("/echo/x", "X-Multi: one\r\nX-Multi: two\r\nX-Empty:\r\nx-SPACES:   around  \r\nCookie: a=1; b=2\r\n")
        headers = dict(wire.answer().json["headers"])
    assert headers["x-multi"] == "one, two"
    assert headers["x-spaces"] == "around"
    assert headers["x-empty"] == ""
    assert headers["cookie"] == "a=1; b=2"


def test_the_url_is_what_the_client_sees_as_host(echo):
    answer = echo.request("/echo/a%20b?c=d", headers={"Host": "shop.example"})
    assert answer.json["url"].startswith("http://shop.example/")
    assert answer.json["url"].endswith("/a%20b?c=d")


def test_pipelined_requests_are_answered_in_order(echo):
    with echo.wire() as wire:
        wire.send("".join(f"GET /echo/p{i} HTTP/1.1\r\nHost: x\r\n\r\n" for i in range(50)))
        for i in range(50):
            assert wire.answer().json["url"].endswith(f"/p{i}")


def test_a_pipelined_request_after_a_body(echo):
    with echo.wire() as wire:
        wire.send("POST /echo/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /echo/length HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().body == b"hello"
        assert wire.answer().body == b"12345"


def test_requests_byte_by_byte(echo):
    with echo.wire() as wire:
        for byte in b"GET /echo/length HTTP/1.1\r\nHost: x\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.answer().body == b"12345"


def test_connection_close_is_honoured(echo):
    with echo.wire() as wire:
        wire.get("/echo/length", "Connection: close\r\n")
        assert wire.answer().body == b"12345"
        assert wire.rest() == b""


def test_http_1_0(echo):
    with echo.wire() as wire:
        wire.send("GET /echo/length HTTP/1.0\r\n\r\n")
        assert wire.rest().endswith(b"12345")


def test_headers_of_the_connection_are_not_the_functions_business(echo):
    with echo.wire() as wire:
        wire.get("/echo/evil")
        answer = wire.answer()
        assert (answer.body, answer.header("x-ok")) == (b"x", "1")
        wire.get("/echo/length")
        assert wire.answer().body == b"12345"


@pytest.mark.parametrize(
    "bytes_",
    [
        "NONSENSE\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        "GET /echo HTTP/9.9\r\nHost: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(echo, bytes_):
    with echo.wire() as wire:
        wire.send(bytes_)
        got = wire.rest()
        assert got == b"" or got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4")), got[:100]
    assert echo.request("/echo/length").text == "12345"


def test_content_length_and_transfer_encoding_together_do_not_smuggle(echo):
    """RFC 9112, section 6.3: what could be read in two ways must not become two requests."""
    with echo.wire() as wire:
        wire.send(
            "POST /echo/mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\nGET /echo/length HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        got = wire.rest() if b"12345" not in wire.buffer else wire.buffer
        assert b"12345" not in got or got.startswith(b"HTTP/1.1 4"), got[:300]


def test_a_traceparent_is_taken_over_and_passed_on(echo):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = dict(echo.request("/echo", headers={"traceparent": trace}).json["headers"])
    assert headers["traceparent"].split("-")[1] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("given", [None, "garbage", "00-00000000000000000000000000000000-b7ad6b7169203331-01"])
def test_a_traceparent_is_started_where_there_is_none(echo, given):
    headers = dict(echo.request("/echo", headers={"traceparent": given} if given else {}).json["headers"])
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-0[0-9a-f]", headers["traceparent"])
    assert match and set(match[1]) != {"0"}


def test_unknown_functions_are_problems(echo):
    answer = echo.request("/nobody/x")
    assert (answer.status, answer.problem) == (404, "urn:mayfly:router:unknown-function")
    assert answer.json["invocation"] == answer.header("mayfly-invocation")


def test_curl_is_content(echo, tmp_path):
    data = tmp_path / "data"
    data.write_bytes(bytes(range(256)) * 5000)
    out = tmp_path / "out"
    subprocess.run(
        ["curl", "-sS", "--fail", "--compressed", "-o", out, "--data-binary", f"@{data}",
         "-H", "Expect: 100-continue", f"{echo.url}/echo/mirror"], check=True, timeout=20,
    )
    assert out.read_bytes() == data.read_bytes()
    subprocess.run(
        ["curl", "-sS", "--fail", "-o", out, "-T", data, "-X", "POST", "-H", "Transfer-Encoding: chunked",
         f"{echo.url}/echo/mirror"], check=True, timeout=20,
    )
    assert out.read_bytes() == data.read_bytes()
