"""A small internet in network namespaces of a test's own: the namespace of this process is the host, another the world."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

INTERNET = "203.0.113.10"
NAME = "shop.example"
PRIVATE = ["10.1.2.3", "172.16.5.5", "192.168.0.5", "100.64.1.1", "169.254.169.254"]
HOST = ["203.0.113.1", "192.168.77.1"]


def inside(*command: str) -> list[str]:
    """The command that runs a command in new namespaces, as root or as an ordinary user."""
    more = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *more, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


class Internet:
    """The world: HTTP on ports 80 and 5432 of all its addresses, and names, all of them INTERNET. In the host: HTTP on
    port 9000 of all its addresses, loopback among them."""

    def __init__(self, folder: Path):
        self.world = subprocess.Popen(["unshare", "--net", sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.world.stdout.readline() == b"made\n"
        ip("link set lo up", f"link add h0 type veth peer name w0 netns {self.world.pid}", "link set h0 up",
           *(f"addr add {address}/24 dev h0" for address in HOST))
        self.world.stdin.write(b"linked\n")
        self.world.stdin.flush()
        assert self.world.stdout.readline() == b"serving\n"
        ip(*(f"route add {address} via {INTERNET}" for address in PRIVATE))
        serve(9000, b"host")
        resolv_conf = folder / "resolv.conf"
        resolv_conf.write_text(f"nameserver {INTERNET}\n")
        subprocess.run(["mount", "--bind", resolv_conf, "/etc/resolv.conf"], check=True)
        self.open_tun(folder)

    def open_tun(self, folder: Path) -> None:
        """As udev has it on a usual host: for everyone. Only real root can see to that."""
        device = folder / "tun"
        try:
            os.mknod(device, 0o600 | 0o020000, os.makedev(10, 200))
        except PermissionError:
            return
        device.chmod(0o666)
        subprocess.run(["mount", "--bind", device, "/dev/net/tun"], check=True)

    def close(self) -> None:
        self.world.kill()
        self.world.wait()


def ip(*commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)


def serve(port: int, text: bytes) -> None:
    listener = socket.create_server(("0.0.0.0", port), backlog=128)
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)

    def forever():
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                try:
                    connection.recv(65536)
                    connection.sendall(answer)
                except OSError:
                    pass

    threading.Thread(target=forever, daemon=True).start()


def answer_names() -> None:
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("0.0.0.0", 53))
    while True:
        query, sender = names.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4 : end - 2] == b"\0\1"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(INTERNET) if is_a else b""
        names.sendto(query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + query[12:end] + record, sender)


def world() -> None:
    print("made", flush=True)
    sys.stdin.readline()
    ip("link set lo up", "link set w0 up", f"addr add {INTERNET}/24 dev w0", "route add 192.168.77.0/24 dev w0",
       *(f"addr add {address}/32 dev lo" for address in PRIVATE))
    serve(80, b"world")
    serve(5432, b"world")
    print("serving", flush=True)
    answer_names()


if __name__ == "__main__":
    world()
