"""Callbacks: the result of an invocation that nobody waits for is sent to a URL, signed, and tried again."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.events import accept, until

ECHO = """
export default {
  async fetch(request) {
    return new Response(await request.arrayBuffer(), {status: 201, headers: {"content-type": "text/x-echo", "x-seen": request.headers.get("mayfly-callback") ?? "none"}});
  },
};
"""
THROWS = 'export default { fetch() { throw new Error("no such mood"); } };\n'
HANGS = "export default { fetch() { return new Promise(() => {}); } };\n"


class Receiver:
    """Takes callbacks. `answers` are the statuses of the next ones, with their fields; then it is 204."""

    def __init__(self, context: ssl.SSLContext | None = None):
        self.got: list[tuple[str, dict, bytes]] = []
        self.answers: list[tuple[int, dict]] = []
        self.came = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with outer.came:
                    status, fields = outer.answers.pop(0) if outer.answers else (204, {})
                    outer.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                    outer.came.notify_all()
                self.send_response(status)
                for name, value in {"content-length": "0", **fields}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def wait(self, count: int = 1, timeout: float = 30) -> list[tuple[str, dict, bytes]]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, timeout), f"{len(self.got)} of {count} came"
            return list(self.got)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def daemon(start_daemon):
    """Callbacks to loopback are let through."""
    return start_daemon("--outbound-allow", "127.0.0.0/8")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """For 127.0.0.1, signed by itself; (certificate, key)."""
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "c.crt", folder / "c.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=c", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True)
    return files


def invocation_of(answer) -> str:
    assert answer.status == 202, answer.text
    return answer.json["invocation"]


def callback(daemon, id: str, *wanted: str) -> dict:
    deadline = time.monotonic() + 30
    while True:
        now = daemon.admin(f"/v1/invocations/{id}").json["callback"]
        if now.get("status") in wanted:
            return now
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


def verify(secret: str, fields: dict, body: bytes) -> None:
    """As Standard Webhooks has its receivers do it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert hmac.compare_digest(fields["webhook-signature"], wanted)
    assert abs(time.time() - int(fields["webhook-timestamp"])) < 300


def test_a_receiver_that_does_not_answer_keeps_no_other_waiting(daemon, receiver):
    daemon.deploy("quick", ECHO)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:  # it is connected to, and reads nothing
        for _ in range(140):
            accept(daemon, "/quick", headers={"mayfly-callback": f"http://127.0.0.1:{silent.getsockname()[1]}/"})
        accept(daemon, "/quick", headers={"mayfly-callback": receiver.url("/other")})
        assert receiver.wait(timeout=10)[0][0] == "/other"


def test_the_result_is_sent_signed(daemon, receiver):
    daemon.deploy("echo", ECHO)
    accepted = accept(daemon, "/echo/a", headers={"mayfly-callback": receiver.url("/hook?x=1")}, body=b"hello")
    id = invocation_of(accepted)
    [(path, fields, body)] = receiver.wait()
    assert path == "/hook?x=1"
    verify(daemon.cli("callback", "secret").stdout.strip(), fields, body)
    told = json.loads(body)
    assert told["type"] == "invocation.succeeded"
    data = told["data"]
    assert (data["invocation"], data["function"], data["status"], data["attempts"]) == (id, "echo", "succeeded", 1)
    assert (data["result"]["status"], data["result"]["body"]) == (201, "hello")
    assert ["content-type", "text/x-echo"] in data["result"]["headers"]
    assert ["x-seen", "none"] in data["result"]["headers"], "the field is not for the function"
    now = callback(daemon, id, "succeeded")
    assert (now["url"], now["attempts"]) == (receiver.url("/hook?x=1"), 1)
    assert now["invocation"] == fields["webhook-id"]
    shown = daemon.cli("invocation", "get", id).stdout
    assert receiver.url("/hook?x=1") in shown and now["invocation"] in shown


def test_bytes_come_as_base64_and_a_long_answer_is_to_be_fetched(daemon, receiver):
    daemon.deploy("echo", ECHO)
    accept(daemon, "/echo", headers={"mayfly-callback": receiver.url()}, body=bytes(range(256)))
    [(_, _, body)] = receiver.wait()
    assert base64.b64decode(json.loads(body)["data"]["result"]["body_base64"]) == bytes(range(256))
    accept(daemon, "/echo", headers={"mayfly-callback": receiver.url()}, body=b"x" * 300_000)
    result = json.loads(receiver.wait(2)[1][2])["data"]["result"]
    assert (result["bytes"], result["body_omitted"]) == (300_000, True) and "body" not in result


def test_one_that_fails_is_tried_again_with_a_signature_of_its_own(daemon, receiver):
    daemon.deploy("echo", ECHO)
    receiver.answers = [(500, {"retry-after": "0"}), (302, {"location": receiver.url("/elsewhere"), "retry-after": "0"})]
    id = invocation_of(accept(daemon, "/echo", headers={"mayfly-callback": receiver.url()}))
    got = receiver.wait(3)
    assert [path for path, _, _ in got] == ["/hook"] * 3, "no redirection is followed"
    assert len({fields["webhook-id"] for _, fields, _ in got}) == 1
    secret = daemon.admin("/v1/callbacks/secret").json["secret"]
    for _, fields, body in got:
        verify(secret, fields, body)
    assert [one.get("type") for one in callback(daemon, id, "succeeded")["history"]] == ["status", "status", None]


def test_what_is_dead_and_what_is_cancelled_is_told_too(daemon, receiver):
    daemon.deploy("moody", THROWS, **{"async.attempts": "1"})
    accept(daemon, "/moody", headers={"mayfly-callback": receiver.url()})
    [(_, _, body)] = receiver.wait()
    told = json.loads(body)
    assert (told["type"], told["data"]["error"]) == ("invocation.dead", {"type": "urn:mayfly:pool:handler-threw"})
    assert b"no such mood" not in body, "what went wrong inside is not for everybody"
    daemon.deploy("hangs", HANGS)
    location = accept(daemon, "/hangs", headers={"mayfly-callback": receiver.url()}).header("location")
    until(daemon, location, "running")
    assert daemon.request(location, "DELETE").status == 200
    assert json.loads(receiver.wait(2)[1][2])["type"] == "invocation.cancelled"


def test_a_receiver_that_is_gone_makes_a_dead_letter_that_can_be_driven_again(daemon, receiver):
    daemon.deploy("echo", ECHO)
    receiver.answers = [(410, {})]
    id = invocation_of(accept(daemon, "/echo", headers={"mayfly-callback": receiver.url("/gone")}))
    dead = callback(daemon, id, "dead")
    assert dead["attempts"] == 1, "410 is the last word"
    assert dead["invocation"] in daemon.cli("dlq", "list", "callbacks").stdout
    assert "callbacks" in daemon.cli("dlq", "list").stdout
    daemon.cli("dlq", "redrive", dead["invocation"])
    assert callback(daemon, id, "succeeded")["invocation"] == dead["invocation"]
    assert [path for path, _, _ in receiver.got] == ["/gone", "/gone"]


def test_the_admin_plane_and_the_command_line_take_one(daemon, receiver):
    daemon.deploy("echo", ECHO)
    id = daemon.cli("invoke", "echo", "hello", "--async", "--callback", receiver.url()).stdout.strip()
    assert json.loads(receiver.wait()[0][2])["data"]["invocation"] == id
    refused = daemon.cli("invoke", "echo", "hello", "--async", "--callback", "ftp://a.example/", check=False)
    assert refused.returncode == 1 and "https://" in refused.stderr
    waiting = daemon.cli("invoke", "echo", "hello", "--callback", receiver.url(), check=False)
    assert waiting.returncode == 2 and "--async" in waiting.stderr


def test_a_url_that_cannot_be_called_is_refused_at_once(daemon):
    daemon.deploy("echo", ECHO)
    for url, problem in [("ftp://a.example/", "bad-url"), ("nonsense", "bad-url"), ("https://me:word@a.example/", "bad-url"),
                         ("http://169.254.169.254/latest", "address-not-allowed"), ("http://10.0.0.1/", "address-not-allowed"),
                         ("http://[::1]/", "address-not-allowed")]:
        answer = accept(daemon, "/echo", headers={"mayfly-callback": url})
        assert (answer.status, answer.problem) == (400, f"urn:mayfly:outbound:{problem}"), url


def test_a_certificate_that_nobody_vouches_for_is_not_believed(daemon, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    receiver = Receiver(context)
    daemon.deploy("echo", ECHO)
    id = invocation_of(accept(daemon, "/echo", headers={"mayfly-callback": receiver.url(scheme="https")}))
    assert callback(daemon, id, "failed")["history"][0]["type"] == "urn:mayfly:outbound:not-trusted"
    daemon.admin(f"/v1/invocations/{callback(daemon, id, 'failed')['invocation']}", "DELETE")
    assert receiver.got == []
    receiver.close()


def test_one_that_was_accepted_is_sent_after_a_kill(start_daemon, receiver):
    daemon = start_daemon("--outbound-allow", "127.0.0.1")
    daemon.deploy("echo", ECHO)
    receiver.answers = [(503, {"retry-after": "2"})]
    id = invocation_of(accept(daemon, "/echo", headers={"mayfly-callback": receiver.url()}))
    callback(daemon, id, "failed")
    secret = daemon.cli("callback", "secret").stdout
    daemon.kill()
    daemon.start()
    receiver.wait(2)
    assert callback(daemon, id, "succeeded")["attempts"] == 2
    assert daemon.cli("callback", "secret").stdout == secret
    assert (daemon.folder / "callback-secret").stat().st_mode & 0o777 == 0o600


def test_by_default_no_name_leads_to_this_machine(start_daemon, receiver):
    daemon = start_daemon()
    daemon.deploy("echo", ECHO)
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"):
        answer = accept(daemon, "/echo", headers={"mayfly-callback": receiver.url(host=host)})
        assert (answer.status, answer.problem) == (400, "urn:mayfly:outbound:address-not-allowed"), host
    # A name that says nothing of it, as far as the machine's own resolver knows one.
    name = local_name()
    if name:
        id = invocation_of(accept(daemon, "/echo", headers={"mayfly-callback": receiver.url(host=name)}))
        failed = callback(daemon, id, "failed")["history"][0]["type"]
        assert failed == "urn:mayfly:outbound:address-not-allowed"
    assert receiver.got == []


def local_name() -> str | None:
    """Another name of this machine that leads to an address that is not public."""
    import ipaddress
    import socket

    for name in ("ip6-localhost", socket.gethostname()):
        try:
            found = {entry[4][0] for entry in socket.getaddrinfo(name, 80)}
        except OSError:
            continue
        if found and not any(ipaddress.ip_address(one).is_global for one in found):
            return name
    return None


def test_the_secret_takes_the_admin_token(daemon):
    made = daemon.admin("/v1/tokens", "POST", json={"name": "limited", "scopes": ["read", "invoke", "deploy"]})
    refused = daemon.admin("/v1/callbacks/secret", headers={"authorization": f"Bearer {made.json['token']}"})
    assert (refused.status, refused.problem) == (403, "urn:mayfly:admin:missing-scope")
