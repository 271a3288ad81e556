"""Plays the daemon for one runtime process: the sockets of docs/wire.md, an instance, its answers and its log.

    with Runtime({"app.py": "def handler(event, context): ..."}) as runtime:
        assert runtime.get("/").text == "..."
"""

import array
import fcntl
import itertools
import json
import mmap
import os
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("MAYFLY_BUILD", FOLDER.parents[1] / "build")).resolve() / "runtimes/python"
PYTHON = os.environ.get("MAYFLY_TEST_PYTHON", "/usr/bin/python3")
PATIENCE = 20.0

FORK, FORKED, FORK_FAILED, EXITED, READY, FAILED = range(1, 7)
INVOKE, ABORT, STOP, PING, BODY, CREDIT, RESPONSE, ERROR, DONE, FATAL, USAGE, PONG = range(1, 13)
END, FREE, EVENT = 1, 2, 4
WINDOW = 256 << 10


@dataclass
class Answer:
    stream: int
    invocation: str
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    done: bool = False
    error: tuple[int, str, str] | None = None  # kind (1 threw, 2 broke off), message, stack
    credit: int = 0                            # that was given for the request's body
    granting: bool = True                      # the client reads

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


@dataclass
class Log:
    level: int
    invocation: str
    text: str
    dropped: int = 0  # lines that went missing before this one


def _texts(data: bytes) -> list[str]:
    return [part.decode("utf-8", "replace") for part in data.split(b"\0")]


def _sealed(name: str, content: bytes) -> int:
    """A file in memory that nobody can change, open for reading only."""
    file = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(file, content)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    reader = os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_CLOEXEC)
    os.close(file)
    return reader


class Runtime:
    def __init__(self, files: dict[str, str] | str, python: str = PYTHON, direct: bool = False,
                 datasets: dict[str, bytes] | None = None, **configuration):
        """`files`: name → content below the root; a str is main.py. `datasets`: name → content, each of one file of its
        name. The rest is what the daemon would send."""
        if isinstance(files, str):
            files = {"main.py": files}
        self._folder = tempfile.TemporaryDirectory(prefix="mayfly-python-")
        self.root = os.path.realpath(self._folder.name)
        for name, content in files.items():
            path = Path(self.root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        entry = "main.py" if "main.py" in files else next(iter(files), "main.py")
        self.configuration = {"root": self.root, "entry": entry, "handler": "default", "env": {}, "function": "test",
                              "version": 1, "memory": 128 << 20, "timeout": 10_000, **configuration}
        self._files = [_sealed(name, content) for name, content in (datasets or {}).items()]
        if datasets:
            self.configuration["datasets"] = [
                {"name": name, "fd": 100 + i, "size": len(content), "files": [{"name": f"{name}.bin", "offset": 0, "size": len(content)}]}
                for i, (name, content) in enumerate(datasets.items())]
        self.direct = direct
        self.python = python
        self.logs: list[Log] = []
        self.raw = b""                  # what was written to descriptors 1 and 2 directly
        self.fatal: tuple | None = None
        self.pongs: list[int] = []
        self.page: mmap.mmap | None = None
        self.serving = False
        self.closed = False             # the instance's data socket
        self.exit_status: int | None = None
        self._reports: list[tuple[int, dict]] = []
        self._answers: dict[int, Answer] = {}
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._sockets: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()

    # --- Life

    def __enter__(self) -> "Runtime":
        control, theirs = self._pair(socket.SOCK_SEQPACKET)
        environment = {"MAYFLY_PYTHON_EXTENSION": str(BUILD / "mayfly_bridge.abi3.so"), "PATH": os.environ["PATH"],
                       "LANG": "C.UTF-8"}

        def move_control() -> None:
            os.dup2(theirs.fileno(), 3)
            os.set_inheritable(3, True)

        self.process = subprocess.Popen(
            [self.python, "-E", "-s", "-B", str(BUILD / "py/boot.py")], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=False, preexec_fn=move_control)
        theirs.close()
        self.runtime_control = control
        self._watch(control, self._on_control)
        channel = self._fork(control, "direct" if self.direct else "template", self.configuration, files=self._files)
        for file in self._files:
            os.close(file)
        if self.direct:
            self._open_instance(channel)
        else:
            self.control = channel
            self._watch(channel, self._on_control)
        return self

    def __exit__(self, *_) -> None:
        for each in self._sockets:
            each.close()
        self._selector.close()
        self.process.stdout.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._folder.cleanup()

    def _pair(self, kind) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        self._sockets.append(ours)
        return ours, theirs

    def _watch(self, its: socket.socket, callback) -> None:
        self._selector.register(its, selectors.EVENT_READ, callback)

    def _fork(self, control: socket.socket, role: str, more: dict | None = None, offers: int | None = None,
              files: list[int] = ()) -> socket.socket:
        channel, their_channel = self._pair(socket.SOCK_STREAM if role in ("instance", "direct") else socket.SOCK_SEQPACKET)
        log, their_log = self._pair(socket.SOCK_SEQPACKET)
        self._watch(log, self._on_log)
        descriptors = [their_channel.fileno(), their_log.fileno()]
        if offers is not None:
            descriptors.append(offers)
        descriptors += files
        packet = struct.pack("<BBHIQQ", 1, FORK, len(descriptors), 0, next(self._numbers), 16 if offers is not None else 0)
        packet += json.dumps({"role": role, **(more or {})}).encode()
        control.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
        their_channel.close()
        their_log.close()
        return channel

    def instance(self, offers: int | None = None) -> "Runtime":
        """Fork an instance (another one, if there is one) and wait until it serves. `offers`: the file of its page."""
        assert self.ready() is not None
        self._open_instance(self._fork(self.control, "instance", offers=offers))
        return self

    def serial_instance(self) -> "Runtime":
        """As instance(), with a page of offers: `page`. begin() offers on it; take_back() takes away again."""
        offers = os.memfd_create("offers")
        os.ftruncate(offers, 128 * 16)
        self.page = mmap.mmap(offers, 128 * 16)
        self.instance(offers)
        os.close(offers)
        return self

    def offered(self, answer: Answer) -> tuple[bool, int]:
        """Whether it is on offer still, and when the one in its slot began."""
        stream, _, began = struct.unpack_from("<IIQ", self.page, answer.stream % 1024 * 16)
        return stream == answer.stream, began

    def take_back(self, answer: Answer) -> None:
        """Only while the instance is busy with another."""
        assert self.offered(answer) == (True, 0)
        struct.pack_into("<I", self.page, answer.stream % 1024 * 16, 0)

    def _open_instance(self, channel: socket.socket) -> None:
        self.data = channel
        self.serving = self.closed = False
        self._buffer = b""
        self._watch(channel, self._on_data)

    # --- What comes

    def pump(self, timeout: float = 0.1) -> None:
        for key, _ in self._selector.select(timeout):
            key.data(key.fileobj)

    def until(self, condition, what: str = "it") -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen; logs: {self.logs}, fatal: {self.fatal}, raw: {self.raw!r}"
            assert self.process.poll() is None, f"the runtime process ended: {self.process.stdout.read().decode()}"
            self.pump()

    def _on_control(self, control) -> None:
        data, ancillary, _, _ = control.recvmsg(160 << 10, 1024, socket.MSG_CMSG_CLOEXEC)
        for _, _, descriptors in ancillary:
            for descriptor in array.array("i", descriptors):
                os.close(descriptor)
        if not data:
            self._selector.unregister(control)
            return
        _, kind, _, _, _, value = struct.unpack("<BBHIQQ", data[:24])
        if kind in (READY, FAILED):
            self._reports.append((kind, json.loads(data[24:])))
        elif kind == EXITED:
            self.exit_status = value

    def _on_log(self, log) -> None:
        data = log.recv(64 << 10)
        if not data:
            self._selector.unregister(log)
            return
        if data[0] != 1:
            self.raw += data
            return
        while data:
            _, level, id_length, _, length, _, dropped = struct.unpack("<BBBBIII", data[:16])
            end = 16 + id_length + length
            self.logs.append(Log(level, data[16:16 + id_length].decode(), data[16 + id_length:end].decode(), dropped))
            data = data[end:]

    def _on_data(self, data_socket) -> None:
        try:
            data = data_socket.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        if not data:
            self._selector.unregister(data_socket)
            self.closed = True
            return
        self._buffer += data
        while len(self._buffer) >= 16:
            length, kind, flags, version, _, stream, aux = struct.unpack("<IBBBBII", self._buffer[:16])
            assert version == 1
            if len(self._buffer) < 16 + length:
                return
            payload, self._buffer = self._buffer[16:16 + length], self._buffer[16 + length:]
            self._on_frame(kind, flags, stream, aux, payload)

    def _on_frame(self, kind, flags, stream, aux, payload) -> None:
        if kind == USAGE:
            self.serving = True
            return
        if kind == FATAL:
            self.fatal = (aux, *_texts(payload))
            return
        if kind == PONG:
            self.pongs.append(aux)
            return
        answer = self._answers[stream]
        assert not answer.done, "a frame after done"
        if kind == RESPONSE:
            assert answer.status == 0, "two heads"
            (size,) = struct.unpack("<I", payload[:4])
            parts = payload[4:4 + size].split(b"\0")
            answer.status = aux
            answer.headers = [(parts[i].decode("latin-1"), parts[i + 1].decode("utf-8", "replace")) for i in range(0, len(parts) - 1, 2)]
            self._take_body(answer, payload[4 + size:], flags)
        elif kind == BODY:
            self._take_body(answer, payload, flags)
        elif kind == ERROR:
            answer.error = (aux, *_texts(payload))
        elif kind == CREDIT:
            answer.credit += aux
        elif kind == DONE:
            answer.done = True
        if kind == RESPONSE and flags & FREE:
            answer.done = True

    def _take_body(self, answer, part, flags) -> None:
        assert not answer.ended
        answer.body += part
        answer.ended = bool(flags & END)
        if answer.granting and part:
            self.send(CREDIT, stream=answer.stream, aux=len(part))

    # --- What is sent

    def send(self, kind, flags=0, stream=0, aux=0, payload=b"") -> None:
        try:
            self.data.sendall(struct.pack("<IBBBBII", len(payload), kind, flags, 1, 0, stream, aux) + payload)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def begin(self, method="GET", target="/", headers=(), body=b"", more=False, event=False, timeout=10.0,
              granting=True) -> Answer:
        """An invocation whose answer is not waited for. headers: pairs or a dict, over a Host header."""
        if not hasattr(self, "data"):
            self.instance()
        self.until(lambda: self.serving or self.closed, "serving")
        number = next(self._numbers)
        answer = Answer((number << 10) | (number % 1024), f"inv-{number}", granting=granting)
        self._answers[answer.stream] = answer
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if "host" not in dict(pairs):
            pairs.insert(0, ("host", "example.com"))
        text = b"".join(f"{name}\0{value}\0".encode("latin-1") for name, value in pairs)
        head = struct.pack("<Q", int((time.monotonic() + timeout) * 1e9))
        for each in (answer.invocation.encode(), b"192.0.2.1", b"http", method.encode(), target.encode("latin-1"), text):
            head += struct.pack("<I", len(each)) + each
        if isinstance(body, str):
            body = body.encode()
        if self.page:
            struct.pack_into("<IIQ", self.page, answer.stream % 1024 * 16, answer.stream, 0, 0)
        self.send(INVOKE, (0 if more else END) | (EVENT if event else 0), answer.stream, 0, head + body)
        return answer

    def finished(self, answer: Answer) -> Answer:
        self.until(lambda: answer.done or self.closed, "an answer")
        return answer

    def request(self, method="GET", target="/", **more) -> Answer:
        return self.finished(self.begin(method, target, **more))

    def get(self, target="/", **more) -> Answer:
        return self.request("GET", target, **more)

    def body(self, answer, part: bytes, last=False) -> None:
        self.send(BODY, END if last else 0, answer.stream, 0, part)

    def abort(self, answer, deadline=False) -> None:
        self.send(ABORT, 0, answer.stream, 2 if deadline else 1)

    def stop(self) -> None:
        self.send(STOP)
        self.until(lambda: self.closed, "the end")

    # --- What was reported

    def ready(self) -> dict:
        self.until(lambda: self._reports, "a report")
        kind, report = self._reports[0]
        assert kind == READY, report
        return report

    def failed(self) -> dict:
        self.until(lambda: self._reports, "a report")
        kind, report = self._reports[0]
        assert kind == FAILED, report
        return report

    def log(self, text: str) -> Log:
        """The first entry that holds `text`."""
        self.until(lambda: any(text in entry.text for entry in self.logs), f"a log entry with {text!r}")
        return next(entry for entry in self.logs if text in entry.text)


if __name__ == "__main__":  # harness.py FILE TARGET: one request, for a look
    with Runtime(Path(sys.argv[1]).read_text()) as runtime:
        print(runtime.get(sys.argv[2] if len(sys.argv) > 2 else "/"), runtime.logs)
