"""TLS on both planes: real clients, slow and broken ones, and certificates that change under load."""

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from support import http, processes
from support.daemon import BINARY

HELLO = """
export default async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/echo") return new Response(await request.text());
  if (pathname === "/large") return new Response("x".repeat(3_000_000));
  return new Response(request.url);
};
"""


def make_certificate(folder, name: str):
    """For localhost, signed by itself; (certificate, key)."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key],
        check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key


def put(files, into) -> None:
    """In place of those that are there, each at once."""
    for source, target in zip(files, into):
        draft = target.with_suffix(".new")
        shutil.copy(source, draft)
        os.replace(draft, target)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    for name in ("first", "second", "third"):
        make_certificate(folder, name)
    (folder / "all.pem").write_text("".join((folder / f"{name}.crt").read_text() for name in ("first", "second", "third")))
    return folder


@pytest.fixture(scope="module")
def used(folder):
    return folder / "used.crt", folder / "used.key"


@pytest.fixture(scope="module")
def server(start_daemon, folder, used):
    put((folder / "first.crt", folder / "first.key"), used)
    context = ssl.create_default_context(cafile=folder / "all.pem")
    daemon = start_daemon("--tls-cert", str(used[0]), "--tls-key", str(used[1]), "--admin-tls-cert", str(used[0]),
                          "--admin-tls-key", str(used[1]), "--header-timeout", "1s", "--threads", "2", context=context)
    daemon.deployed = daemon.deploy("hello", HELLO)
    daemon.deploy("other", HELLO)
    return daemon


def cli(server, *arguments, ca=None):
    env = {**server.environment(), **({"MAYFLY_CA": str(ca)} if ca else {})}
    return subprocess.run([BINARY, *arguments], env=env, capture_output=True, text=True, timeout=60)


def connected(server, context=None) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", server.port), 15)
    return (context or server.context).wrap_socket(plain, server_hostname="localhost")


def served_name(server, port=None) -> str:
    """The name in the certificate that new connections get."""
    with socket.create_connection(("127.0.0.1", port or server.port), 15) as plain, server.context.wrap_socket(plain, server_hostname="localhost") as tls:
        return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]


def test_a_function_answers_over_tls_and_knows_it(server):
    assert server.deployed["url"] == f"https://127.0.0.1:{server.port}/hello"
    answer = server.request("/hello")
    assert answer.status == 200 and answer.text.startswith("https://"), answer.text
    assert "https://" in server.last_words()


def test_curl_and_openssl_are_content(server, folder):
    done = subprocess.run(["curl", "-sv", "--cacert", folder / "all.pem", f"{server.url}/hello", f"{server.url}/other"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "accepted to use http/1.1" in done.stderr or "server accepted http/1.1" in done.stderr
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-alpn", "h2,http/1.1", "-CAfile", folder / "all.pem",
                           "-verify_return_error", "-quiet", "-no_ign_eof"], input="", capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_what_is_refused(server, folder):
    for limit in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-alpn", "h2"], ["-tls1_2", "-cipher", "AES128-SHA"]):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *limit], input="", capture_output=True, text=True, timeout=30)
        assert done.returncode != 0, (limit, done.stdout)
    with socket.create_connection(("127.0.0.1", server.port), 15) as plain:
        plain.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in plain.recv(4096)
    assert server.request("/hello").status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_bodies_and_many_requests_on_one_connection(server, folder, version):
    """Between functions of different threads the connection moves, with its encryption."""
    context = ssl.create_default_context(cafile=folder / "all.pem")
    context.minimum_version = context.maximum_version = version
    connection = http.connect(server.url, context=context)
    body = b"0123456789abcdef" * 120_000
    for name in ("hello", "other") * 3:
        url = f"{server.url}/{name}"
        assert http.exchange(connection, url + "/echo", "POST", body=body).body == body
        assert len(http.exchange(connection, url + "/large").body) == 3_000_000
        assert http.exchange(connection, url).status == 200
    connection.close()


def test_bytes_may_come_in_any_pieces(server):
    """Records of one byte, and many requests in one record."""
    head = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
    with connected(server) as tls:
        for byte in head:
            tls.send(bytes([byte]))
        assert b" 200 " in tls.recv(4096)
        tls.sendall(head * 50)
        got = b""
        while got.count(b"HTTP/1.1 200") < 50:
            got += tls.recv(65536)
    with connected(server) as tls:  # a header that fills buffers of every size
        for size in (8_000, 8_200, 16_384, 20_000, 31_000):
            tls.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nX: " + b"x" * size + b"\r\n\r\n")
            assert b" 200 " in tls.recv(4096), size


def test_an_end_is_told_from_a_cut(server):
    with connected(server) as tls:
        tls.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while part := tls.recv(4096):  # an end without goodbye would raise SSLEOFError
            got += part
        assert b" 200 " in got


def test_handshakes_that_do_not_come_are_given_up(server):
    before = server.admin("/v1/status").json["connections"]
    idle = [socket.create_connection(("127.0.0.1", server.port), 15) for _ in range(20)]
    idle[0].sendall(b"\x16\x03\x01\x02\x00\x01")  # begins and does not go on
    processes.eventually(lambda: server.admin("/v1/status").json["connections"] >= before + 20, 5, "connections that shake hands count")
    for one in idle:
        assert one.recv(1) == b"", "closed after the header's time"
        one.close()
    assert server.request("/hello").status == 200


def test_a_connection_too_many_does_not_cost_a_handshake(start_daemon, folder):
    daemon = start_daemon("--tls-cert", str(folder / "first.crt"), "--tls-key", str(folder / "first.key"), "--threads", "1", "--max-connections", "2",
                          context=ssl.create_default_context(cafile=folder / "all.pem"))
    with socket.create_connection(("127.0.0.1", daemon.port), 15), socket.create_connection(("127.0.0.1", daemon.port), 15):
        processes.eventually(lambda: daemon.admin("/v1/status").json["connections"] == 2, 5, "both are there")
        with socket.create_connection(("127.0.0.1", daemon.port), 15) as third:
            assert third.recv(1) == b""


def test_the_command_line_over_tls(server, folder):
    assert "hello" in cli(server, "list", ca=folder / "all.pem").stdout
    assert "hello" in cli(server, "list", "--ca", str(folder / "all.pem")).stdout
    for arguments in (["list"], ["list", "--ca", str(folder / "second.crt")]):
        refused = cli(server, *arguments)
        assert refused.returncode != 0 and "--ca" in refused.stderr, refused.stderr
    nothing = cli(server, "list", "--ca", str(folder / "nothing.pem"))
    assert nothing.returncode != 0 and "nothing.pem" in nothing.stderr
    port = cli(server, "list", "--admin-url", f"http://127.0.0.1:{server.admin_port}")
    assert port.returncode != 0


def test_the_admin_plane_streams_and_follows(server):
    server.deploy("talks", 'export default () => { console.log("said"); return new Response("x"); };')
    connection = http.connect(server.admin_url, context=server.context)
    connection.request("GET", "/v1/functions/talks/logs?follow=1", headers={"authorization": f"Bearer {server.token}"})
    response = connection.getresponse()
    server.request("/talks")
    assert b"said" in response.readline()
    response.close()


class Load:
    """Requests on connections of their own and on one that stands, until it is stopped. Failures are kept."""

    def __init__(self, server):
        self.server, self.failures, self.count, self.running = server, [], 0, True
        self.threads = [threading.Thread(target=self.on_new_ones), threading.Thread(target=self.on_one)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        for thread in self.threads:
            thread.join()

    def ask(self, ask):
        while self.running:
            try:
                assert ask().status == 200
                self.count += 1
            except Exception as error:  # whatever it is, it is a failed request
                self.failures.append(repr(error))

    def on_new_ones(self):
        self.ask(lambda: self.server.request("/hello"))

    def on_one(self):
        connection = http.connect(self.server.url, context=self.server.context)
        self.ask(lambda: http.exchange(connection, f"{self.server.url}/other"))
        connection.close()


def test_a_certificate_changes_under_load_without_a_failed_request(server, folder, used):
    files = {name: (folder / f"{name}.crt", folder / f"{name}.key") for name in ("first", "second", "third")}
    with connected(server) as old, Load(server) as load:
        put(files["second"], used)  # noticed by itself
        processes.eventually(lambda: served_name(server) == "second", 20, "the new certificate is served")
        put(files["third"], used)
        server.process.send_signal(signal.SIGHUP)
        processes.eventually(lambda: served_name(server) == "third", 20, "at once with SIGHUP")
        assert served_name(server, server.admin_port) == "third"
        asked = load.count
        processes.eventually(lambda: load.count > asked + 5, 20, "the load goes on")
        old.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in old.recv(4096), "a connection that stands goes on"
    assert not load.failures, load.failures[:5]


def test_a_broken_certificate_is_logged_and_the_old_one_stays(server, folder, used):
    put((folder / "first.crt", folder / "first.key"), used)
    server.process.send_signal(signal.SIGHUP)
    processes.eventually(lambda: served_name(server) == "first", 20, "a good one")
    with Load(server) as load:
        put((folder / "first.crt", folder / "second.key"), used)
        processes.eventually(lambda: "is not that of the certificate" in server.last_words(), 20, "it is logged")
        assert served_name(server) == "first"
        used[0].write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        processes.eventually(lambda: re.search(r"the certificate stays as it was: the certificate \S+used.crt", server.last_words()), 20, "so is this")
        assert served_name(server) == "first"
    assert not load.failures, load.failures[:5]


def test_a_start_without_a_good_certificate_says_why(tmp_path, folder):
    for options, why in ((["--tls-cert", folder / "nothing.crt", "--tls-key", folder / "first.key"], "nothing.crt"),
                         (["--tls-cert", folder / "first.crt", "--tls-key", folder / "second.key"], "is not that of the certificate"),
                         (["--tls-cert", folder / "first.crt"], "go together")):
        done = subprocess.run([BINARY, "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *options],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and why in done.stderr, done.stderr
