"""Upstreams: HTTP servers that are not functions, with decorators in front of them."""

import hashlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support import http
from support.daemon import free_port
from support.processes import eventually

PASS = "export default { fetch: (request, env) => env.next(request) };"
MASK = """export default { async fetch(request, env) {
  const url = new URL(request.url);
  if (url.searchParams.get("id") === "0") return new Response("no such id", { status: 422 });
  if (!url.searchParams.has("size")) url.searchParams.set("size", "20");
  const answer = await env.next(new Request(url, request));
  const told = await answer.json();
  told.masked = "***";
  return Response.json(told, { status: answer.status, headers: { "x-mask": "yes" } });
} };"""
CATCHES = """export default { async fetch(request, env) {
  try {
    return await env.next(request);
  } catch (error) {
    return new Response(error.type, { status: error.status });
  }
} };"""
CALLER = """export default { async fetch(request, env) {
  const answer = await env.invoke("old", { path: "/called?x=1", method: "PUT", body: "from a function" });
  return new Response(answer.body, answer);
} };"""


class Upstream:
    """Tells what it got; /bytes/N gives N bytes, /slow waits until it is let go, /half breaks off."""

    def __init__(self):
        self.closed = threading.Event()
        self.go_on = threading.Event()
        self.began = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def read_body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def answer(self, body: bytes, status: int = 200, **fields) -> None:
                self.send_response(status)
                for name, value in {"content_length": str(len(body)), **fields}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def serve(self) -> None:
                outer.began.set()
                path = self.path.split("?")[0]
                if path.startswith("/bytes/"):
                    return self.answer(bytes(range(256)) * (int(path[7:]) // 256), content_type="application/x-bytes")
                if path == "/slow":
                    outer.go_on.wait(20)
                if path == "/half":
                    self.send_response(200)
                    self.send_header("content-length", "1000")
                    self.end_headers()
                    self.wfile.write(b"half")
                    self.close_connection = True
                    return None
                if path == "/stream":
                    return self.stream()
                if path == "/gone":
                    return self.watch()
                if path == "/nothing":
                    return self.answer(b"", 204)
                body = self.read_body()
                told = {"method": self.command, "path": self.path, "length": len(body), "sha256": hashlib.sha256(body).hexdigest(),
                        "fields": [[name.lower(), value] for name, value in self.headers.items()]}
                return self.answer(json.dumps(told).encode(), 201, content_type="application/json", x_up="yes", connection="x-hop",
                                   x_hop="stays", set_cookie="a=1")

            def stream(self) -> None:
                self.send_response(200)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for part in (b"first", b"second"):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                    outer.go_on.wait(20)
                self.wfile.write(b"0\r\n\r\n")

            def watch(self) -> None:
                self.connection.settimeout(20)
                if self.connection.recv(1) == b"":
                    outer.closed.set()
                self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = serve

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(autouse=True)
def fresh(upstream):
    for event in (upstream.closed, upstream.go_on, upstream.began):
        event.clear()


@pytest.fixture(scope="module")
def served(start_daemon, upstream):
    daemon = start_daemon("--threads", "2", "--outbound-allow", "127.0.0.1")
    daemon.deploy("pass", PASS)
    daemon.deploy("mask", MASK)
    for i in range(3):  # on several shards
        daemon.deploy(f"pass{i}", PASS)
    daemon.cli("upstream", "set", "old", upstream.url)
    daemon.cli("upstream", "set", "through", upstream.url, "--wrap", "pass,pass0,pass1,pass2", "--set", "max_request=8MiB")
    daemon.cli("upstream", "set", "masked", upstream.url + "/base/", "--wrap", "mask", "--set", "routes=GET /members/*")
    daemon.cli("upstream", "set", "hasty", upstream.url, "--set", "timeout=300ms")
    daemon.deploy("catches", CATCHES)
    daemon.cli("upstream", "set", "down", f"http://127.0.0.1:{free_port()}")
    daemon.cli("upstream", "set", "caught", f"http://127.0.0.1:{free_port()}", "--wrap", "catches")
    return daemon


def fields_of(answer: http.Answer) -> dict[str, str]:
    return dict(answer.json["fields"])


@pytest.mark.parametrize("name", ["old", "through"])
def test_a_request_goes_there_and_its_answer_comes_back(served, name):
    answer = served.request(f"/{name}/a/../b?c=d", "POST", body=b"hello", headers={"x-own": "kept", "connection": "x-drop", "x-drop": "gone"})
    assert (answer.status, answer.header("x-up"), answer.header("set-cookie")) == (201, "yes", "a=1")
    assert answer.header("x-hop") is None and answer.header("mayfly-invocation")
    assert (answer.json["method"], answer.json["length"]) == ("POST", 5)
    assert name != "old" or answer.json["path"] == "/a/../b?c=d"
    fields = fields_of(answer)
    assert fields["x-own"] == "kept" and "x-drop" not in fields
    assert fields["x-forwarded-proto"] == "http" and fields["x-forwarded-prefix"] == f"/{name}"


def test_host_is_the_upstreams_and_the_client_is_named(served, upstream):
    fields = fields_of(served.request("/old/", headers={"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https"}))
    assert fields["host"] == upstream.url.removeprefix("http://")
    assert fields["x-forwarded-host"] == f"127.0.0.1:{served.port}"
    assert fields["x-forwarded-for"] == "192.0.2.7, 127.0.0.1", "the last one is who connected"
    assert fields["x-forwarded-proto"] == "http", "a client is not believed"
    assert fields["forwarded"] == f'for=127.0.0.1;host="127.0.0.1:{served.port}";proto=http'


def test_a_decorator_defaults_checks_and_masks(served):
    answer = served.request("/masked/x?id=7")
    assert (answer.status, answer.header("x-mask"), answer.json["masked"]) == (201, "yes", "***")
    assert answer.json["path"] == "/base/x?id=7&size=20"
    refused = served.request("/masked/x?id=0")
    assert (refused.status, refused.text) == (422, "no such id")
    assert served.request("/members/7").json["path"] == "/base/members/7?size=20", "a route keeps its whole path"
    assert served.request("/members/7", "POST").status == 405


@pytest.mark.parametrize("name", ["old", "through"])
def test_large_bodies_stream_both_ways(served, name):
    body = bytes(range(256)) * 20_000
    for headers in ({}, {"transfer-encoding": "chunked"}):
        answer = served.request(f"/{name}/", "PUT", body=iter([body[:1_000_000], body[1_000_000:]]) if headers else body)
        assert (answer.json["length"], answer.json["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    answer = served.request(f"/{name}/bytes/5120000")
    assert answer.body == body and answer.header("content-type") == "application/x-bytes"


@pytest.mark.parametrize("name", ["old", "through"])
def test_the_first_part_comes_before_the_last_is_sent(served, upstream, name):
    with served.wire() as wire:
        wire.send(f"GET /{name}/stream HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        wire.until(b"first")
        upstream.go_on.set()
        assert wire.until(b"0\r\n\r\n").endswith(b"6\r\nsecond\r\n0\r\n\r\n")


@pytest.mark.parametrize("name", ["old", "through"])
def test_a_client_that_leaves_ends_the_request(served, upstream, name):
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(f"GET /{name}/gone HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert upstream.began.wait(20)
    assert upstream.closed.wait(20), "its connection to the upstream is closed, too"


def test_one_that_is_down_or_slow_or_breaks_off_has_a_name(served):
    down = served.request("/down/")
    assert (down.status, down.problem) == (502, "urn:mayfly:outbound:unreachable")
    assert "127.0.0.1" not in down.json.get("detail", ""), "where it is is not for everybody"
    caught = served.request("/caught/")
    assert (caught.status, caught.text) == (502, "urn:mayfly:outbound:unreachable"), "a decorator hears of it"
    slow = served.request("/hasty/slow")
    assert (slow.status, slow.problem, slow.json["limit"]) == (504, "urn:mayfly:outbound:timed-out", "300ms")
    with pytest.raises(Exception):  # noqa: B017: whatever Python makes of a body that is cut
        served.request("/old/half")
    eventually(lambda: served.describe("down")["live"]["failures"], what="the failure")
    told = served.describe("down")["live"]
    assert told["invocations"]["failed"] >= 1 and told["failures"][0]["type"] == "outbound:unreachable", told
    assert served.describe("hasty")["live"]["invocations"]["timed_out"] == 1
    answered = served.describe("old")["live"]["invocations"]["answered"]
    assert served.request("/old/").status == 201
    assert served.describe("old")["live"]["invocations"]["answered"] == answered + 1
    assert "memory" not in served.describe("old")["config"], "it has no instances"
    large = served.request("/through/", "POST", body=b"x" * 9_000_000)
    assert large.status == 413


@pytest.mark.parametrize(("form", "code", "file"), [
    ("fetch", PASS, "index.mjs"),
    ("lambda", "import mayfly\ndef handler(event, context):\n    return mayfly.next()\n", "handler.py"),
    ("async-lambda", "import mayfly\nasync def handler(event, context):\n    return await mayfly.next()\n", "handler.py"),
    ("wsgi", "import mayfly\ndef app(environ, start_response):\n    return mayfly.next()(environ, start_response)\n", "app.py"),
])
def test_what_a_decorator_does_not_catch_is_answered_as_without_it(served, form, code, file):
    served.deploy(f"around-{form}", code, file=file)
    served.cli("upstream", "set", f"behind-{form}", f"http://127.0.0.1:{free_port()}", "--wrap", f"around-{form}")
    answer = served.request(f"/behind-{form}/")
    assert (answer.status, answer.problem) == (502, "urn:mayfly:outbound:unreachable"), answer.text
    assert answer.json["invocation"] == answer.header("mayfly-invocation") and "127.0.0.1" not in answer.text
    assert answer.json["title"] == "The upstream cannot be reached" and "detail" not in answer.json, answer.text
    head = served.request(f"/behind-{form}/", "HEAD")
    assert (head.status, head.body) == (502, b"")
    throws = code.replace("env.next(request)", "Promise.reject(new Error('own'))").replace("mayfly.next()", "1 / 0")
    served.deploy(f"around-{form}", throws, file=file)
    assert served.request(f"/behind-{form}/").problem == "urn:mayfly:pool:handler-threw"


def test_methods_and_answers_without_a_body(served):
    assert served.request("/old/nothing", "DELETE").status == 204
    head = served.request("/old/bytes/2560", "HEAD")
    assert (head.status, head.header("content-length"), head.body) == (200, "2560", b"")
    empty = served.request("/old/", "POST")
    assert (empty.json["length"], fields_of(empty)["content-length"]) == (0, "0")
    assert "content-length" not in fields_of(served.request("/old/"))


def test_functions_and_the_command_line_call_it(served):
    served.deploy("caller", CALLER)
    told = served.request("/caller").json
    assert (told["method"], told["path"], told["length"]) == ("PUT", "/called?x=1", 15)
    done = served.cli("invoke", "old", "hello", "--quiet")
    assert json.loads(done.stdout)["length"] == 5


def test_access_and_rates_hold(served, upstream):
    served.cli("upstream", "set", "closed", upstream.url, "--set", "access=key", "--set", "rate_limit=1/h")
    assert served.request("/closed/").problem == "urn:mayfly:access:key-needed"
    key = served.admin("/v1/keys", "POST", json={"name": "k"}).json["key"]
    headers = {"authorization": f"Bearer {key}"}
    answer = served.request("/closed/", headers=headers)
    assert answer.status == 201 and fields_of(answer)["mayfly-key"] == "k" and "authorization" not in fields_of(answer)
    assert served.request("/closed/", headers=headers).status == 429


def test_they_are_listed_changed_and_deleted(served, upstream):
    listed = served.cli("upstream", "list").stdout
    assert upstream.url in listed and "mask" in listed and "caller" not in listed
    assert "upstream" in served.cli("list").stdout
    served.cli("upstream", "set", "moving", "http://127.0.0.1:9/")
    assert served.request("/moving/").status == 502
    assert "moving@2" in served.cli("upstream", "set", "moving", upstream.url).stdout
    assert served.request("/moving/").status == 201
    served.cli("rollback", "moving", "1")
    assert served.request("/moving/").status == 502
    served.cli("upstream", "delete", "moving")
    assert served.request("/moving/").status == 404
    for url in ("ftp://127.0.0.1/", "http://127.0.0.1/?a=b", "nonsense", "http://me:word@127.0.0.1/"):
        refused = served.cli("upstream", "set", "bad", url, check=False)
        assert refused.returncode == 1 and "upstream" in refused.stderr, url


def test_the_name_of_a_function_is_refused(served, upstream, tmp_path):
    served.deploy("taken", PASS)
    refused = served.cli("upstream", "set", "taken", upstream.url, check=False)
    assert refused.returncode == 1 and "'taken' is a function" in refused.stderr
    (tmp_path / "back.js").write_text(PASS)
    served.cli("upstream", "set", "back", upstream.url)
    refused = served.cli("deploy", tmp_path / "back.js", check=False)
    assert refused.returncode == 1 and "'back' is an upstream" in refused.stderr
    assert served.request("/back/").status == 201


def test_a_project_deploys_them(served, upstream, tmp_path):
    (tmp_path / "gate.js").write_text(PASS)
    (tmp_path / "mayfly.toml").write_text(f"""
[functions.gate]
source = "gate.js"

[upstreams.legacy]
url = "{upstream.url}/api"
wrap = ["gate"]
timeout = "5s"
""")
    assert "legacy@1" in served.cli("deploy", tmp_path).stdout
    assert served.request("/legacy/x").json["path"] == "/api/x"
    assert "legacy@1" in served.cli("deploy", tmp_path).stdout, "unchanged"
    (tmp_path / "mayfly.toml").write_text(f'[upstreams.legacy]\nurl = "{upstream.url}"\nmemory = "1GiB"\n')
    wrong = served.cli("deploy", tmp_path, check=False)
    assert wrong.returncode == 1 and "memory" in wrong.stderr
    served.restart()
    assert served.request("/legacy/x").json["path"] == "/api/x"


def test_many_at_once(served):
    answers: list[int] = []

    def ask(name: str) -> None:
        connection = http.connect(served.url)
        for _ in range(20):
            answers.append(http.exchange(connection, f"{served.url}/{name}/", "POST", b"x" * 1000).status)
        connection.close()

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("old", "through") * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [201] * 240
    deadline = time.monotonic() + 5
    while served.request("/old/nothing").status != 204:
        assert time.monotonic() < deadline


def test_who_deploys_cannot_have_the_daemon_ask_what_is_behind_the_firewall(start_daemon, upstream):
    daemon = start_daemon("--outbound-allow", "127.0.0.1")
    daemon.cli("upstream", "set", "inner", upstream.url)
    daemon.options = ()
    daemon.restart()  # the administrator has thought better of it
    port = upstream.url.rsplit(":", 1)[1]
    for host in ("127.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.7"):
        refused = daemon.cli("upstream", "set", "other", f"http://{host}:{port}", check=False)
        assert refused.returncode != 0 and "--outbound-allow" in refused.stderr, refused
    answer = daemon.request("/inner/")
    assert (answer.status, answer.problem) == (502, "urn:mayfly:outbound:unreachable")
    assert not upstream.began.is_set()
