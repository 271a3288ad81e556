"""The examples as data: what examples/*/example.toml says is deployed, called and compared.

Used by scripts/run, which prints all of it, and by the integration test of the examples. The requests
are made by curl, so what is printed can be typed.

    deploy = "hello.js"              file or folder, relative to the example
    name = "hello"                   default: the example's folder
    set = { "env.KEY" = "value" }    further keys of [functions.NAME]; {url} is the data plane's address
    whole = true                     first all of its mayfly.toml is deployed
    server = ["python3", "api.py"]   runs meanwhile, with a free port as its last argument; {server} in set is its URL
    after = ["other"]                examples that must be deployed before
    needs = ["go"]                   programs that must be in PATH, else it is left out

    [[call]]
    request = "POST /hello?a=b"      or invoke = '{"json": 1}', through the CLI
    headers = { name = "value" }
    body = "text"                    or body_gzip = "text that is sent gzip'd"
    status = 200                     what is expected; default 200
    body_is, body_has, body_starts_hex, json_is, headers_are
    logs_have = "text"               a line that the function's log holds soon after
"""

import contextlib
import gzip
import json
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "examples"


class Mismatch(Exception):
    """An example did not do what its example.toml says."""


@dataclass
class Target:
    """A running daemon."""

    binary: Path
    url: str
    admin: str
    token: str

    def cli(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.binary, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600,
            env={**os.environ, "MAYFLY_ADMIN": self.admin, "MAYFLY_TOKEN": self.token},
        )
        if done.returncode != 0:
            raise Mismatch(f"mayfly {shlex.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


@dataclass
class Example:
    folder: Path
    deploy: str
    name: str
    set: dict[str, str] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    whole: bool = False
    server: list[str] = field(default_factory=list)
    call: list[dict] = field(default_factory=list)

    def missing(self) -> list[str]:
        """What it needs and this machine has not."""
        return [program for program in self.needs if shutil.which(program) is None]

    def deploys(self, url: str, server: str) -> list[list[str]]:
        """The arguments of each `mayfly` that deploys it."""
        path = os.path.relpath((self.folder / self.deploy).resolve())
        arguments = ["deploy", path, "--name", self.name]
        for key, value in self.set.items():
            arguments += ["--set", f"{key}={value.replace('{url}', url).replace('{server}', server)}"]
        return ([["deploy", path]] if self.whole else []) + [arguments]

    @contextlib.contextmanager
    def serving(self):
        """Its server, while it runs; gives the URL, or "" if it has none."""
        if not self.server:
            yield ""
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen([*self.server, str(port)], cwd=self.folder, stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise Mismatch(f"{shlex.join(self.server)} does not listen") from None
                    time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _is_slow(file: Path) -> tuple[bool, Path]:
    """Last those whose first deploy installs packages or compiles for long."""
    return any((file.parent / name).exists() for name in ("requirements.txt", "go.mod", "Cargo.toml")), file


def load() -> list[Example]:
    """All examples, each after those that it needs."""
    waiting = []
    for file in sorted(FOLDER.glob("*/example.toml"), key=_is_slow):
        data = tomllib.loads(file.read_text())
        data.setdefault("name", file.parent.name)
        waiting.append(Example(file.parent, **data))
    ordered: list[Example] = []
    while waiting:
        ready = [e for e in waiting if all(any(o.folder.name == a for o in ordered) for a in e.after)]
        if not ready:
            raise SystemExit(f"examples wait for each other: {[e.folder.name for e in waiting]}")
        ordered += ready
        waiting = [e for e in waiting if e not in ready]
    return ordered


@dataclass
class Answer:
    command: str
    status: int
    headers: dict[str, list[str]]
    body: bytes


def perform(call: dict, example: Example, target: Target) -> Answer:
    """Make one call; raises Mismatch if it cannot be made at all."""
    if "invoke" in call:
        arguments = ["invoke", example.name, call["invoke"]]
        return Answer("build/mayfly " + shlex.join(arguments), 200, {}, target.cli(*arguments).encode())
    method, path = call["request"].split(" ", 1)
    shown = ["curl"] + ([] if method == "GET" else ["-X", method])
    for name, value in call.get("headers", {}).items():
        shown += ["-H", f"{name}: {value}"]
    text = ""
    if "body" in call:
        shown += ["--data-binary", call["body"]]
    elif "body_gzip" in call:
        shown += ["-H", "content-encoding: gzip", "--data-binary", "@-"]
        text = f"echo -n {shlex.quote(call['body_gzip'])} | gzip | "
    shown.append(target.url + path)
    with tempfile.TemporaryDirectory() as folder:
        head, body = Path(folder, "head"), Path(folder, "body")
        options = ["--silent", "--show-error", "--max-time", "30", "--dump-header", str(head), "--output", str(body)]
        done = subprocess.run(
            shown[:1] + options + shown[1:], capture_output=True,
            input=gzip.compress(call["body_gzip"].encode()) if "body_gzip" in call else None,
        )
        if done.returncode != 0:
            raise Mismatch(done.stderr.decode().strip())
        lines = head.read_bytes().decode("latin-1").split("\r\n\r\n")[-2].split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        content = body.read_bytes() if body.exists() else b""
    return Answer(text + shlex.join(shown), int(lines[0].split()[1]), headers, content)


def _expect(condition: bool, what: str, answer: Answer) -> None:
    if not condition:
        raise Mismatch(f"{answer.command}\n  expected {what}\n  got {answer.status}: {answer.body[:2000]!r}")


def check(call: dict, answer: Answer) -> None:
    """Compare an answer with what the example promises."""
    status = call.get("status", 200)
    _expect(answer.status == status, f"status {status}", answer)
    for name, value in call.get("headers_are", {}).items():
        got = answer.headers.get(name, [])
        _expect(value in got, f"header {name}: {value}, not {got}", answer)
    if "body_is" in call:
        _expect(answer.body == call["body_is"].encode(), f"the body {call['body_is']!r}", answer)
    if "body_has" in call:
        _expect(call["body_has"].encode() in answer.body, f"a body with {call['body_has']!r}", answer)
    if "body_starts_hex" in call:
        _expect(answer.body.hex().startswith(call["body_starts_hex"]), f"bytes {call['body_starts_hex']}", answer)
    if "json_is" in call:
        try:
            got = json.loads(answer.body)
        except ValueError:
            got = None
        _expect(got == call["json_is"], f"the JSON {call['json_is']}", answer)
    if "invoke" not in call:
        _expect("mayfly-invocation" in answer.headers, "the header Mayfly-Invocation", answer)


def check_logs(call: dict, example: Example, target: Target) -> None:
    """Logs are written beside the answer, so the line may come a moment after it."""
    text = call.get("logs_have")
    deadline = time.monotonic() + 5
    while text is not None and text not in (log := target.cli("logs", example.name)):
        if time.monotonic() > deadline:
            raise Mismatch(f"the log of {example.name} has no line with {text!r}:\n{log}")
        time.sleep(0.05)
