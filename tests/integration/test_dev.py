"""mayfly dev: redeploys on save, shows logs and errors with source lines."""

import queue
import subprocess
import threading
import time

import pytest

from support import http
from support.daemon import BINARY
from support.processes import eventually


class Dev:
    """A running `mayfly dev` and what it prints."""

    def __init__(self, daemon, folder):
        self.process = subprocess.Popen(
            [BINARY, "dev", folder], env=daemon.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
        )
        self.lines: queue.Queue = queue.Queue()
        self.seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def wait_for(self, *texts: str, timeout: float = 15.0) -> str:
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line with {texts} within {timeout} s:\n{''.join(self.seen)}") from None
            self.seen.append(line)
            if all(text in line for text in texts):
                return line

    def end(self) -> int:
        self.process.terminate()
        status = self.process.wait(10)
        self.process.stdout.close()
        return status


@pytest.fixture
def project(daemon, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.js").write_text("export default { fetch: () => new Response('first') };\n")
    (folder / "mayfly.toml").write_text('[functions.site]\nsource = "index.js"\n')
    dev = Dev(daemon, folder)
    try:
        dev.wait_for("site@")
        yield folder, dev
    finally:
        dev.end()


def test_a_save_is_served_in_milliseconds(daemon, project):
    folder, dev = project
    times = []
    for number in range(5):
        text = f"save {number} {time.monotonic_ns()}"
        began = time.monotonic()
        (folder / "index.js").write_text(f"export default {{ fetch: () => new Response('{text}') }};\n")
        eventually(lambda text=text: daemon.request("/site").text == text, what="the saved text to be served")
        times.append(time.monotonic() - began)
    assert sorted(times)[2] < 1.0, times


def test_an_error_is_shown_with_its_line_and_the_old_version_serves(daemon, project):
    folder, dev = project
    before = daemon.request("/site").text
    (folder / "index.js").write_text("export default {\n  fetch: ( => 1\n};\n")
    dev.wait_for("index.js:2")
    assert daemon.request("/site").text == before
    (folder / "index.js").write_text("export default { fetch: () => new Response('mended') };\n")
    eventually(lambda: daemon.request("/site").text == "mended", what="the mended code to be served")


def test_logs_and_errors_of_requests_are_shown(daemon, project):
    folder, dev = project
    (folder / "index.js").write_text(
        "export default { fetch(request) {\n  console.log('asked for', new URL(request.url).pathname);\n"
        "  if (request.url.endsWith('/bad'))\n    throw new Error('shown in dev');\n  return new Response('talks');\n} };\n"
    )
    eventually(lambda: daemon.request("/site/ok").text == "talks", what="the new code to be served")
    dev.wait_for("asked for /ok")
    daemon.request("/site/bad")
    dev.wait_for("shown in dev")
    dev.wait_for("index.js:4")


def test_editors_that_save_by_renaming(daemon, project):
    folder, dev = project
    new = folder / ".index.js.swp"
    new.write_text("export default { fetch: () => new Response('renamed') };\n")
    new.rename(folder / "index.js")
    eventually(lambda: daemon.request("/site").text == "renamed", what="the renamed file to be served")


def test_it_ends_in_order(daemon, tmp_path):
    (tmp_path / "one.js").write_text("export default { fetch: () => new Response('one') };\n")
    dev = Dev(daemon, tmp_path / "one.js")
    dev.wait_for("one@")
    assert http.request(f"{daemon.url}/one").text == "one"
    assert dev.end() in (0, -15, 143)
