"""What a decorator costs that passes everything on: the same request with and without it, in turn."""

import socket
import time

from .report import Row, percentile, spread
from .servers import NotAvailable

TARGET_US = 60


class Connection:
    """One connection that stands, with requests of which each is answered before the next."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path):
        """Microseconds until the answer is there: a 200 with a body of known length."""
        request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
        begun = time.perf_counter_ns()
        self.socket.sendall(request)
        data = self.socket.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.socket.recv(65536)
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 200") or b"content-length: " not in head:
            raise NotAvailable(f"GET {path} was answered {data[:200]!r}")
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(data) < end + 4 + length:
            data += self.socket.recv(65536)
        return (time.perf_counter_ns() - begun) / 1000

    def close(self):
        self.socket.close()


def measure(port, plain, wrapped, seconds):
    """p50 of each in microseconds; a request of one kind follows one of the other."""
    connection = {path: Connection(port) for path in (plain, wrapped)}
    times = {plain: [], wrapped: []}
    try:
        for path in (plain, wrapped) * 200:
            connection[path].get(path)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for path in (plain, wrapped, wrapped, plain):
                times[path].append(connection[path].get(path))
    finally:
        for one in connection.values():
            one.close()
    return {path: percentile(values, 50) for path, values in times.items()}


def row(admin, port, rounds, quick):
    """Around a function of Node, in Node."""
    admin.deploy("pass", "pass.js")
    admin.deploy("plain", "hello.js")
    admin.deploy("wrapped", "hello.js", wrap="pass")
    found = [measure(port, "/plain/", "/wrapped/", 1 if quick else 2) for _ in range(rounds)]
    added = spread([one["/wrapped/"] - one["/plain/"] for one in found])
    plain, wrapped = (spread([one[path] for one in found]) for path in ("/plain/", "/wrapped/"))
    for name in ("wrapped", "plain", "pass"):
        admin.delete(name)
    return Row("pass-through decorator, one connection: added p50", f"<= {TARGET_US} us",
               f"{added['median']:.0f} us ({added['min']:.0f} - {added['max']:.0f})", added["median"] <= TARGET_US,
               f"without {plain['median']:.0f} us, with {wrapped['median']:.0f} us",
               {"added_us": added, "plain_us": plain, "wrapped_us": wrapped})
