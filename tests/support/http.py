"""HTTP/1.1 as the tests need it: answers as plain values, and a connection that sends raw bytes."""

import http.client
import json as json_module
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str, default: str | None = None) -> str | None:
        values = self.all(name)
        return values[0] if values else default

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self):
        return json_module.loads(self.body)

    @property
    def problem(self) -> str:
        """The `type` of a problem document (RFC 9457)."""
        assert self.header("content-type") == "application/problem+json", (self.status, self.headers, self.body)
        return self.json["type"]


def request(url: str, method: str = "GET", body=None, headers=None, json=None, timeout: float = 30.0, context=None) -> Answer:
    """One request on a connection of its own. Does not follow redirections, decodes nothing. `context` is for https."""
    connection = connect(url, timeout, context)
    try:
        return exchange(connection, url, method, body, headers, json)
    finally:
        connection.close()


def connect(url: str, timeout: float = 30.0, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def exchange(connection, url: str, method="GET", body=None, headers=None, json=None) -> Answer:
    """One request on a connection that stays open."""
    parts = urlsplit(url)
    headers = dict(headers or {})
    if json is not None:
        body = json_module.dumps(json)
        headers.setdefault("content-type", "application/json")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(method, target, body=body, headers=headers)
    response = connection.getresponse()
    return Answer(response.status, response.getheaders(), response.read())


class Wire:
    """A connection on which bytes are sent and read exactly as given."""

    def __init__(self, port: int, timeout: float = 15.0, receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def get(self, target: str, headers: str = "") -> None:
        self.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")

    def _fill(self) -> bool:
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if not self._fill():
                raise EOFError(f"closed before {mark!r}; last bytes: {self.buffer[-200:]!r}")
        end = self.buffer.index(mark) + len(mark)
        part, self.buffer = self.buffer[:end], self.buffer[end:]
        return part

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not self._fill():
                raise EOFError(f"closed after {len(self.buffer)} of {count} bytes")
        part, self.buffer = self.buffer[:count], self.buffer[count:]
        return part

    def rest(self) -> bytes:
        """Everything until the peer closes."""
        try:
            while self._fill():
                pass
        except ConnectionResetError:
            pass
        part, self.buffer = self.buffer, b""
        return part

    def head(self) -> Answer:
        """The next answer's head; 1xx are skipped."""
        while True:
            lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(lines[0].split()[1])
            if status >= 200:
                break
        headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines[1:] if line]
        return Answer(status, headers, b"")

    def chunk(self) -> bytes:
        """One chunk of a chunked body; b"" is the last one."""
        size = int(self.until(b"\r\n").split(b";")[0], 16)
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def answer(self, method: str = "GET") -> Answer:
        """The next whole answer."""
        head = self.head()
        if method == "HEAD" or head.status in (204, 304):
            return head
        if (head.header("transfer-encoding") or "").lower() == "chunked":
            while data := self.chunk():
                head.body += data
        elif (length := head.header("content-length")) is not None:
            head.body = self.exactly(int(length))
        else:
            head.body = self.rest()
        return head
