"""The daemon's own life: start, drain, kill, two side by side."""

import shutil
import signal
import socket
import subprocess
import time

import pytest

from support import processes
from support.daemon import BINARY, Daemon, free_port
from support.load import Load

HELLO = 'export default { fetch: () => new Response("hello") };\n'
SLOW = "export default { async fetch() { await new Promise((r) => setTimeout(r, 700)); return new Response('done'); } };\n"


def test_sigterm_finishes_what_has_begun(start_daemon):
    daemon = start_daemon()
    daemon.deploy("slow", SLOW)
    daemon.deploy("hello", HELLO)
    idle = daemon.wire()
    with daemon.wire() as busy:
        busy.get("/slow")
        processes.eventually(lambda: daemon.describe("slow")["live"]["busy"] == 1, what="the request to run")
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        answer = busy.answer()
        assert (answer.status, answer.body) == (200, b"done")
        assert answer.header("connection") == "close"
    assert daemon.wait() == 0
    assert time.monotonic() - began < 5, "an idle connection held the daemon up"
    idle.close()
    with pytest.raises(OSError):
        daemon.request("/hello")


def test_no_new_work_while_draining(start_daemon):
    daemon = start_daemon()
    daemon.deploy("slow", SLOW)
    with daemon.wire() as busy:
        busy.get("/slow")
        processes.eventually(lambda: daemon.describe("slow")["live"]["busy"] == 1, what="the request to run")
        daemon.process.send_signal(signal.SIGTERM)

        # Said in the same turn of the daemon in which it closes its door; before that it may still accept.
        processes.eventually(lambda: daemon.admin("/readyz").status == 503, what="the daemon to drain")

        def refused():
            try:
                with socket.create_connection(("127.0.0.1", daemon.port), timeout=1) as connection:
                    connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                    first = connection.recv(100)
                    return first == b"" or b" 503 " in first
            except OSError:
                return True

        assert refused()
        assert busy.answer().status == 200
    assert daemon.wait() == 0


def test_a_rolling_restart_under_load_breaks_no_answer_that_had_begun(start_daemon):
    """Requests are answered whole or refused; none gets half an answer."""
    daemon = start_daemon()
    daemon.deploy("hello", HELLO)
    with Load(f"{daemon.url}/hello", threads=4) as load:
        load.wait_for(200)
        daemon.restart()
        load.wait_for(200)
    assert load.outcomes[(200, "hello")] >= 400
    allowed = {(200, "hello"), ("broken", "ConnectionRefusedError"), ("broken", "RemoteDisconnected"),
               ("broken", "ConnectionResetError"), ("broken", "BrokenPipeError")}
    strange = {outcome: n for outcome, n in load.outcomes.items() if outcome not in allowed and outcome[0] != 503}
    assert not strange, strange


@pytest.mark.parametrize("busy", [False, True])
def test_a_killed_daemon_leaves_no_process_behind(start_daemon, busy):
    daemon = start_daemon()
    daemon.deploy("hello", HELLO, min_instances="3")
    daemon.deploy("slow", SLOW)
    assert daemon.request("/hello").text == "hello"
    wires = [daemon.wire() for _ in range(4 if busy else 0)]
    for wire in wires:
        wire.get("/slow")
    family = processes.eventually(lambda: len(daemon.children()) >= 3 and daemon.children(), what="instances")
    daemon.kill()

    def left():
        processes.reap()
        table = processes.process_table()  # one that only waits for its parent to reap it is gone
        return {pid: (*table[pid], processes.command_line(pid)) for pid in family if pid in table and table[pid][1] != "Z"}

    try:
        processes.eventually(lambda: not left(), 20)
    except AssertionError:
        raise AssertionError(f"processes of the daemon are still there: {left()}") from None
    for wire in wires:
        wire.close()


def test_two_daemons_side_by_side(start_daemon):
    first, second = start_daemon(), start_daemon()
    first.deploy("same", "export default { fetch: () => new Response('first') };")
    second.deploy("same", "export default { fetch: () => new Response('second') };")
    assert first.token != second.token
    with Load(f"{first.url}/same", threads=2) as a, Load(f"{second.url}/same", threads=2) as b:
        a.wait_for(200)
        b.wait_for(200)
    assert set(a.outcomes) == {(200, "first")} and set(b.outcomes) == {(200, "second")}
    second.stop()
    assert first.request("/same").text == "first"


def test_a_second_daemon_on_the_same_data_folder_is_refused(start_daemon):
    first = start_daemon()
    second = subprocess.run(
        [BINARY, "serve", "--data", first.folder, "--listen", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}"],
        capture_output=True, text=True, timeout=20,
    )
    assert second.returncode != 0
    assert str(first.folder) in second.stderr + second.stdout
    first.deploy("still", HELLO)
    assert first.request("/still").text == "hello"


def test_an_address_in_use_is_named(start_daemon, tmp_path):
    first = start_daemon()
    done = subprocess.run(
        [BINARY, "serve", "--data", tmp_path / "other", "--listen", f"127.0.0.1:{first.port}", "--admin", f"127.0.0.1:{free_port()}"],
        capture_output=True, text=True, timeout=20,
    )
    assert done.returncode != 0
    assert str(first.port) in done.stderr + done.stdout


def test_it_starts_in_well_under_a_second(tmp_path):
    daemon = Daemon(tmp_path / "data")
    began = time.monotonic()
    daemon.start()
    took = time.monotonic() - began
    assert daemon.stop() == 0
    assert took < 2.0


def test_sigint_is_like_sigterm(tmp_path):
    daemon = Daemon(tmp_path / "data").start()
    daemon.deploy("hello", HELLO)
    assert daemon.request("/hello").text == "hello"
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.wait() == 0


def test_an_interpreter_that_is_installed_later_is_found(start_daemon, tmp_path):
    python = tmp_path / "bin" / "python3"
    daemon = start_daemon("--python", str(python))
    source = "def handler(event, context):\n    return 'here'\n"
    assert daemon.put("late", source, file="main.py").status >= 400
    python.parent.mkdir()
    python.symlink_to(shutil.which("python3"))
    processes.eventually(lambda: daemon.put("late", source, file="main.py").status < 300, 20, what="Python to be found")
    assert daemon.request("/late").text == "here"
