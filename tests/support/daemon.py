"""A daemon of the test's own: own data folder, own ports, own processes."""

import os
import random
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse
from pathlib import Path

from . import http, processes

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("MAYFLY_BUILD", REPOSITORY / "build")).resolve()
BINARY = BUILD / "mayfly"
PACKAGES = REPOSITORY / "tests" / "packages"


def free_port() -> int:
    """A port nobody listens on, below the range that outgoing connections take theirs from."""
    while True:
        port = random.randint(15_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Daemon:
    def __init__(self, folder: Path, *options: str, env: dict[str, str] | None = None, user: int | None = None):
        """`options` are further arguments of `mayfly serve`; `user`: it runs as this one, not as the test's."""
        self.folder = Path(folder)
        self.options = options
        self.env = env or {}
        self.user = user
        self.context: ssl.SSLContext | None = None  # whom to believe where the daemon speaks TLS
        self.process: subprocess.Popen | None = None
        self.log = self.folder.parent / f"{self.folder.name}.log"
        self.port = self.admin_port = 0

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> "Daemon":
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            os.chown(self.folder, self.user, self.user)
        self.port, self.admin_port = self.port or free_port(), self.admin_port or free_port()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--data", self.folder, "--listen", f"127.0.0.1:{self.port}",
                 "--admin", f"127.0.0.1:{self.admin_port}", *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self.user, group=self.user, extra_groups=None if self.user is None else [],
                env={**os.environ, "MAYFLY_BUILD_CACHE": str(BUILD / "test-cache"), **self.env},
            )
        deadline = time.monotonic() + 30
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.last_words()}")
            try:
                if http.request(f"{self.admin_url}/readyz", timeout=2, context=self.context).status == 200:
                    return self
            except OSError:
                pass
            assert time.monotonic() < deadline, f"the daemon is not ready:\n{self.last_words()}"
            time.sleep(0.02)

    def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM; returns the exit status. Fails if the daemon leaves a process behind."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = 20.0) -> int:
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon did not end within {timeout} s:\n{self.last_words()}") from None
        self.process = None
        return status

    def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer would."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self) -> "Daemon":
        assert self.stop() == 0
        return self.start()

    @property
    def running(self) -> bool:
        return self.process is not None

    def last_words(self, size: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def children(self) -> list[int]:
        return processes.descendants(self.process.pid)

    # -- talking to it ---------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http{'s' * ('--tls-cert' in self.options)}://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        return f"http{'s' * ('--admin-tls-cert' in self.options)}://127.0.0.1:{self.admin_port}"

    @property
    def token(self) -> str:
        return (self.folder / "admin-token").read_text().strip()

    def request(self, path: str, method: str = "GET", **more) -> http.Answer:
        """To the data plane."""
        return http.request(self.url + path, method, context=self.context, **more)

    def admin(self, path: str, method: str = "GET", headers=None, **more) -> http.Answer:
        headers = {"authorization": f"Bearer {self.token}", **(headers or {})}
        return http.request(self.admin_url + path, method, headers=headers, context=self.context, **more)

    def wire(self, **more) -> http.Wire:
        return http.Wire(self.port, **more)

    def environment(self) -> dict[str, str]:
        """What makes the CLI and scripts talk to this daemon."""
        return {**os.environ, "MAYFLY_ADMIN": self.admin_url, "MAYFLY_TOKEN": self.token, "MAYFLY_URL": self.url}

    def cli(self, *arguments, check: bool = True, timeout: float = 60, **more) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [BINARY, *map(str, arguments)], env=self.environment(), timeout=timeout,
            stdin=more.pop("stdin", subprocess.DEVNULL), capture_output=True, text=True, **more,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"mayfly {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def put(self, name: str, code: str | bytes | Path, file: str | None = None, **settings) -> http.Answer:
        """PUT a source or an archive, whatever the answer. Code has 30 s to load: an answer may take longer."""
        if isinstance(code, Path):
            file, code = file or code.name, code.read_bytes()
        elif isinstance(code, str):
            code = code.encode()
        query = f"?file={file or 'index.js'}" + "".join(f"&set={key}={quote(value)}" for key, value in settings.items())
        return self.admin(f"/v1/functions/{name}{query}", "PUT", body=code, timeout=60)

    def deploy(self, name: str, code: str | bytes | Path, file: str | None = None, **settings) -> dict:
        """Deploy and expect it to work; returns the answer's document."""
        answer = self.put(name, code, file, **settings)
        assert answer.status in (200, 201), f"{answer.status}: {answer.text}"
        return answer.json

    def describe(self, name: str) -> dict:
        answer = self.admin(f"/v1/functions/{name}")
        assert answer.status == 200, answer.text
        return answer.json


def quote(value: str | list[str]) -> str:
    """A setting's value in a query; a list is divided by commas."""
    return urllib.parse.quote(value if isinstance(value, str) else ",".join(value), safe="")
