"""Executables as functions (runtime exec, CGI form): scripts and binaries, what they get and what may go wrong."""

import concurrent.futures
import gzip
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support.daemon import BUILD
from support.processes import command_line, eventually, process_table

HANDLER_THREW = "urn:mayfly:pool:handler-threw"
ANSWER_BROKEN = "urn:mayfly:pool:answer-broken"


def script(text: str, interpreter: str = "/bin/sh") -> str:
    return f"#!{interpreter}\n{text}\n"


@pytest.fixture(scope="module")
def deploy(daemon):
    """deploy(name, text of a shell script, **settings) → its path."""

    def deploy(name: str, text: str, **settings) -> str:
        daemon.deploy(name, script(text), f"{name}.sh", **settings)
        return f"/{name}"

    return deploy


def folder_with(tmp_path: Path, files: dict[str, tuple[str, int]]) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name, (text, mode) in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
    return folder


# --- What can be run -----------------------------------------------------------------------------------


def test_a_shell_script(daemon, deploy):
    answer = daemon.request(deploy("echoes", 'echo "hello from $REQUEST_METHOD $PATH_INFO?$QUERY_STRING"') + "/a%20b?c=d")
    assert (answer.status, answer.text) == (200, "hello from GET /a b?c=d\n")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("content-length") == str(len(answer.body)), "a short answer is sent as a whole"
    version = daemon.describe("echoes")["versions"][0]
    assert version["runtime"] == "exec", version


def test_a_python_script_by_its_first_line(daemon):
    code = "#!/usr/bin/env python3\nimport sys, os\nbody = sys.stdin.buffer.read()\nprint('Content-Type: text/x-upper\\n')\nprint(body.decode().upper(), os.environ['CONTENT_LENGTH'])\n"
    daemon.deploy("upper", code, "upper")
    answer = daemon.request("/upper", "POST", body=b"abc")
    assert (answer.text, answer.header("content-type")) == ("ABC 3\n", "text/x-upper")


def test_a_python_script_by_its_name_when_it_is_said(daemon):
    code = "#!/usr/bin/env python3\nprint('as a program')\n"
    daemon.deploy("program", code, "program.py", runtime="exec")
    assert daemon.request("/program").text == "as a program\n"


def test_a_compiled_binary(daemon, tmp_path):
    source = tmp_path / "main.c"
    source.write_text('#include <stdio.h>\n#include <stdlib.h>\nint main() { printf("Status: 201 Created\\r\\nContent-Type: text/html\\r\\n\\r\\n<b>%s</b>", getenv("REQUEST_METHOD")); }\n')
    binary = tmp_path / "binary"
    subprocess.run(["cc", "-o", binary, source], check=True)
    daemon.deploy("binary", binary)
    answer = daemon.request("/binary", "PUT", body=b"x")
    assert (answer.status, answer.text, answer.header("content-type")) == (201, "<b>PUT</b>", "text/html")


def test_a_folder_with_helper_files(daemon, tmp_path):
    folder = folder_with(tmp_path, {"run": (script('. ./words; echo "$WORD"; ls "$(pwd)"'), 0o755), "words": ("WORD=shared\n", 0o644)})
    daemon.cli("deploy", folder, "--name", "helper")
    lines = daemon.request("/helper").text.split("\n")
    assert lines[0] == "shared"
    assert "words" in lines[1:], "it runs in its own folder"


# --- The request ---------------------------------------------------------------------------------------


def environment(daemon, path: str, **more) -> dict[str, str]:
    text = daemon.request(path, **more).text
    return dict(line.split("=", 1) for line in text.split("\0") if line)


def test_the_environment_is_that_of_cgi(daemon, deploy):
    path = deploy("variables", "env -0", **{"env.GREETING": "hi", "timeout": "30s"})
    headers = {"content-type": "text/x", "x-some-thing": "a b", "Proxy": "http://evil", "x_some_thing": "other", "cookie": "a=1"}
    before = time.time()
    got = environment(daemon, path + "/rest/%C3%A4?x=1&y=%20", method="POST", body=b"12345", headers=headers)
    expected = {
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/variables", "PATH_INFO": "/rest/ä",
        "QUERY_STRING": "x=1&y=%20", "REQUEST_URI": "/variables/rest/%C3%A4?x=1&y=%20", "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "5", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(daemon.port),
        "REMOTE_ADDR": "127.0.0.1", "HTTP_X_SOME_THING": "a b", "HTTP_COOKIE": "a=1", "GREETING": "hi",
    }
    assert {key: got.get(key) for key in expected} == expected
    assert "HTTP_PROXY" not in got, "httpoxy"
    assert not any(key.startswith(("MAYFLY_TOKEN", "HTTP_CONTENT")) for key in got)
    assert before + 20 < int(got["MAYFLY_DEADLINE"]) / 1000 < before + 40
    assert len(got["MAYFLY_INVOCATION"]) > 8


def test_a_path_that_no_variable_can_hold(daemon, deploy):
    assert daemon.request(deploy("nul", "echo never") + "/a%00b").status == 400


def test_head_has_no_body(daemon, deploy):
    answer = daemon.request(deploy("headed", "echo 12345"), "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_bodies_stream_both_ways(daemon, deploy):
    """Each part is answered before the next is sent: nobody waits for the end of anything."""
    path = deploy("cat", "exec cat")
    with daemon.wire() as wire:
        wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n")
        wire.send("first\n")
        assert wire.head().status == 200
        assert wire.chunk() == b"first\n"
        wire.send("second\n")
        assert wire.chunk() == b"second\n"
        assert wire.chunk() == b""


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def test_a_body_without_a_length_gets_one_unless_it_is_long(daemon, deploy):
    path = deploy("measures", 'echo "[$CONTENT_LENGTH]"; wc -c')
    begin = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    for size, length in ((3, "3"), (600_000, "600000"), (1 << 20, "1048576"), (3_000_000, "")):
        with daemon.wire() as wire:
            wire.send(begin + chunk(b"x" * size))
            wire.send(b"0\r\n\r\n")
            assert wire.answer().text.split() == [f"[{length}]", str(size)]
    assert "came without a length" in daemon.cli("logs", "measures").stdout
    path = deploy("begins", 'head -c 4; cat > /dev/null')
    with daemon.wire() as wire:
        wire.send(begin.replace(b"measures", b"begins") + chunk(b"abc\n" * 500_000))
        wire.head()
        assert wire.chunk() == b"abc\n", "a long one is streamed"
        wire.send(b"0\r\n\r\n")
        assert wire.chunk() == b""


def test_a_body_that_does_not_end_is_not_waited_for_longer_than_the_deadline(daemon, deploy):
    path = deploy("waits", 'echo $PPID', timeout="300ms", concurrency="1", max_instances="1")
    instance = daemon.request(path).text
    with daemon.wire() as wire:
        wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert wire.head().status == 504
    assert daemon.request(path).text == instance, "it has nothing left to do and lives on"


def test_large_binary_bodies(daemon, deploy, tmp_path):
    path = deploy("zip", "exec gzip -1c", max_request="100MiB", timeout="60s")
    data = os.urandom(1 << 20) * 24
    (tmp_path / "data").write_bytes(data)
    # Curl reads while it sends, as this function needs.
    done = subprocess.run(
        ["curl", "-sS", "-D", tmp_path / "head", "-T", tmp_path / "data", daemon.url + path], capture_output=True, check=True
    )
    assert "content-type: application/octet-stream" in (tmp_path / "head").read_text().lower()
    assert gzip.decompress(done.stdout) == data


def test_who_does_not_read_its_input_answers_all_the_same(daemon, deploy):
    answer = daemon.request(deploy("deaf", "echo no thanks"), "POST", body=b"x" * 5_000_000)
    assert (answer.status, answer.text) == (200, "no thanks\n")


# --- The answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, output, status, kind, body",
    [
        ("plain", r"hello", 200, "text/plain; charset=utf-8", b"hello"),
        ("nothing", r"", 200, "text/plain; charset=utf-8", b""),
        ("bytes", r"\377\376\000", 200, "application/octet-stream", b"\xff\xfe\x00"),
        ("latin", r"gr\374n\n", 200, "application/octet-stream", b"gr\xfcn\n"),
        ("status", r"Status: 404 Not Found\nContent-Type: text/html\n\n<p>", 404, "text/html", b"<p>"),
        ("other-first", r"X-One: 1\ncontent-type: a/b\r\n\r\nbody", 200, "a/b", b"body"),
        ("no-header", r"Note: this is prose\n\nand more\n", 200, "text/plain; charset=utf-8", b"Note: this is prose\n\nand more\n"),
        ("no-header-either", r"Content-Type\n\nx", 200, "text/plain; charset=utf-8", b"Content-Type\n\nx"),
        ("json", r'{"a": 1}', 200, "text/plain; charset=utf-8", b'{"a": 1}'),
        ("no-type", r"Status: 200\n\nx", 200, "text/plain; charset=utf-8", b"x"),
    ],
)
def test_what_is_a_header(daemon, deploy, name, output, status, kind, body):
    answer = daemon.request(deploy(f"out-{name}", f"printf '{output}'"))
    assert (answer.status, answer.header("content-type"), answer.body) == (status, kind, body)


def test_redirects_and_repeated_fields(daemon, deploy):
    answer = daemon.request(deploy("away", r"printf 'Location: /there\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n'"))
    assert (answer.status, answer.header("location"), answer.all("set-cookie")) == (302, "/there", ["a=1", "b=2"])
    answer = daemon.request(deploy("empty", r"printf 'Status: 204\n\n'"))
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize(
    "name, output",
    [
        ("cr-inside", r"Content-Type: text/plain\rX-Evil: 1\n\nx"),
        ("crlf-value", r"Content-Type: text/plain\nX-A: b\r\r\nX-Evil: 1\n\nx"),
        ("no-colon", r"Content-Type: text/plain\nnonsense\n\nx"),
        ("no-end", r"Content-Type: text/plain\n"),
        ("bad-status", r"Content-Type: text/plain\nStatus: fine\n\nx"),
        ("no-status", r"Status: 9999\n\nx"),
    ],
)
def test_a_malformed_header_is_a_typed_error(daemon, deploy, name, output):
    answer = daemon.request(deploy(f"bad-{name}", f"printf '{output}'"))
    assert "x-evil" not in {key.lower() for key, _ in answer.headers}
    assert (answer.status, answer.problem) == (502, ANSWER_BROKEN), answer.text
    assert "header" in daemon.admin(f"/v1/functions/bad-{name}/invocations", "POST", json={}).json["detail"]


def test_a_header_block_without_end(daemon, deploy):
    answer = daemon.request(deploy("endless", r"printf 'Content-Type: a/b\n'; yes 'X-Field: value'", timeout="20s"))
    assert (answer.status, answer.problem) == (502, ANSWER_BROKEN)


def parent_of(pid: int) -> int:
    return process_table()[pid][0]


# --- Failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, text, says", [("three", "exit 3", "exit code 3"), ("signal", "kill -SEGV $$", "SIGSEGV"), ("late", "echo some; exit 4", "exit code 4")])
def test_a_process_that_fails(daemon, deploy, name, text, says):
    path = deploy(f"fails-{name}", f"echo what went wrong >&2\n[ $PATH_INFO = /ok ] && exit 0\n{text}")
    for _ in range(3):
        answer = daemon.request(path + "/bad")
        assert (answer.status, answer.problem) == (500, HANDLER_THREW), answer.text
        assert "what went wrong" not in answer.text, "too much for the public"
    told = daemon.admin(f"/v1/functions/fails-{name}/invocations", "POST", json={})
    assert says in told.text and "what went wrong" in told.json["stack"], told.text
    assert daemon.request(path + "/ok").status == 200


def test_who_kills_its_group_is_one_that_was_killed(daemon, deploy):
    path = deploy("suicide", "[ $PATH_INFO = /ok ] && exit 0\nkill -9 0; sleep 10")
    answer = daemon.request(path + "/bad")
    assert (answer.status, answer.problem, answer.json["signal"]) == (502, "urn:mayfly:pool:instance-killed", "SIGKILL")
    assert daemon.request(path + "/ok").status == 200


def test_a_failure_after_the_head_breaks_the_answer(daemon, deploy):
    with daemon.wire() as wire:
        wire.get(deploy("breaks", "head -c 100000 /dev/zero; exit 3"))
        assert wire.head().status == 200
        with pytest.raises(EOFError):
            while wire.chunk():
                pass


def test_stderr_is_in_the_log_with_its_invocation(daemon, deploy):
    answer = daemon.request(deploy("chatty", "echo one >&2; printf 'two, no end' >&2; echo answer"))
    assert answer.text == "answer\n"
    lines = eventually(lambda: (found := daemon.cli("logs", "chatty", "--json").stdout) and "two, no end" in found and found)
    assert lines.count(answer.header("mayfly-invocation")) >= 2


def test_a_deadline_ends_the_process(daemon, deploy):
    path = deploy("sleeps", "[ $PATH_INFO = /ok ] || sleep 1000\necho awake", timeout="500ms")
    answer = daemon.request(path)
    assert answer.status == 504, answer.text
    eventually(lambda: not any("sleep 1000" in command_line(pid) for pid in daemon.children()))
    assert daemon.request(path + "/ok").text == "awake\n"


def test_a_client_that_leaves_ends_the_process(daemon, deploy):
    path = deploy("waits", "echo begun; sleep 1001 & wait")
    with daemon.wire() as wire:
        wire.get(path)
        assert wire.head().status == 200
        assert any("sleep 1001" in command_line(pid) for pid in daemon.children())
    eventually(lambda: not any("sleep 1001" in command_line(pid) for pid in daemon.children()))


@pytest.mark.parametrize("how", ["sleep 1002 &", "setsid sleep 1002 > /dev/null 2>&1 &", "setsid sleep 1002 &"])
def test_what_a_process_leaves_behind_ends_with_its_invocation(daemon, deploy, how):
    path = deploy("leaves", f"{how}\necho done")
    assert daemon.request(path).text == "done\n"
    eventually(lambda: not any("sleep 1002" in command_line(pid) for pid in daemon.children()), 5)


def test_an_instance_that_is_killed_leaves_nothing_behind(daemon, deploy):
    path = deploy("killed", "setsid sleep 1003 &\nsleep 1004", timeout="20s")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(daemon.request, path)
        sleeper = eventually(lambda: next((pid for pid in daemon.children() if "sleep 1003" in command_line(pid)), None))
        os.kill(parent_of(parent_of(sleeper)), signal.SIGKILL)
        assert answer.result().status == 502
    eventually(lambda: not any("sleep 100" in command_line(pid) for pid in daemon.children()), 5)


# --- What is refused when it is deployed ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name, files, says",
    [
        ("no-run-bit", {"run": (script("echo x"), 0o644)}, "run bit"),
        ("no-interpreter", {"run": (script("echo x", "/no/such/interpreter"), 0o755)}, "/no/such/interpreter"),
        ("no-env-interpreter", {"run": (script("x", "/usr/bin/env no-such-language"), 0o755)}, "no-such-language"),
        ("from-windows", {"run": ("#!/bin/sh\r\necho x\r\n", 0o755)}, "carriage return"),
        ("exits-at-once", {"bootstrap": (script("echo the reason >&2; exit 7"), 0o755)}, "exit code 7"),
    ],
)
def test_what_cannot_run_is_refused_and_the_old_version_serves_on(daemon, deploy, tmp_path, name, files, says):
    path = deploy(name, "echo old")
    refused = daemon.cli("deploy", folder_with(tmp_path, files), "--name", name, check=False)
    assert refused.returncode != 0
    assert says in refused.stdout + refused.stderr
    if name == "exits-at-once":
        assert "the reason" in refused.stdout + refused.stderr
    assert daemon.request(path).text == "old\n"


def test_a_single_file_gets_the_run_bit(daemon, tmp_path):
    file = tmp_path / "single.sh"
    file.write_text(script("echo runs"))
    file.chmod(0o600)
    daemon.cli("deploy", file, "--name", "single")
    assert daemon.request("/single").text == "runs\n"


def test_a_program_for_another_machine(daemon, tmp_path):
    binary = bytearray(Path("/bin/true").read_bytes())
    binary[18:20] = b"\x08\x00"  # MIPS
    answer = daemon.put("mips", bytes(binary), "mips")
    assert answer.status == 422 and "another machine" in answer.text, answer.text


# --- Many ----------------------------------------------------------------------------------------------


def test_two_hundred_at_once(daemon, deploy):
    path = deploy("many", "cat; echo $PATH_INFO", timeout="60s")
    outcomes = []

    def one(number: int) -> None:
        outcomes.append(daemon.request(f"{path}/{number}", "POST", body=str(number).encode(), timeout=60).text == f"{number}/{number}\n")

    threads = [threading.Thread(target=one, args=(n,)) for n in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 200


def test_no_process_is_left_of_all_this(daemon):
    """Beside runtime processes, templates, instances and the uplink of functions' networks."""

    def others():
        return [pid for pid in daemon.children() if not command_line(pid).startswith(str(BUILD)) and "boot" not in command_line(pid)
                and "slirp4netns" not in command_line(pid)]

    eventually(lambda: not others(), what=f"{[command_line(pid) for pid in others()]}")
