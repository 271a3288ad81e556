"""What the code's process looks like, how it prints and how it ends."""

import ast
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from harness import BUILD, CREDIT, PYTHON

ERROR, WARN, INFO, DEBUG = 4, 3, 2, 1


def test_what_is_printed_and_logged_has_level_and_invocation(start):
    runtime = start("""
import logging, sys, traceback, warnings, threading
print("at init")
log = logging.getLogger("mine")
def handler(event, context):
    print("two", "words"); print("two\\nlines"); print("part", end=""); print(" of a line")
    sys.stderr.write("to stderr\\n"); sys.stdout.buffer.write(b"\\xff bytes\\n"); print("half \\udc80 pair")
    log.warning("warned %d", 1); log.error("failed"); log.info("not shown")
    logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s", force=True)
    log.debug("debugged"); log.info("shown"); log.critical("critical")
    try: 1 / 0
    except ZeroDivisionError: log.exception("caught"); traceback.print_exc()
    warnings.warn("careful")
    thread = threading.Thread(target=lambda: {}["missing"], name="worker"); thread.start(); thread.join()
    print("no end", end="")
    return sys.stdout.isatty()
""")
    answer = runtime.get()
    assert answer.json is False
    runtime.log("no end")
    assert runtime.logs[0].text == "at init" and runtime.logs[0].invocation == ""
    assert {entry.invocation for entry in runtime.logs[1:]} == {answer.invocation}
    entries = [(entry.level, entry.text) for entry in runtime.logs[1:]]
    assert entries[:12] == [
        (INFO, "two words"), (INFO, "two"), (INFO, "lines"), (INFO, "part of a line"), (ERROR, "to stderr"), (INFO, "\ufffd bytes"),
        (INFO, "half ? pair"), (WARN, "warned 1"), (ERROR, "failed"), (DEBUG, "mine debugged"), (INFO, "mine shown"), (ERROR, "mine critical")]
    caught, printed, warned, thread, rest = entries[12:]
    assert caught[0] == ERROR and caught[1].startswith("mine caught\nTraceback") and caught[1].endswith("division by zero")
    assert printed[0] == ERROR and printed[1].startswith("Traceback") and printed[1].endswith("division by zero")
    assert warned[0] == WARN and "UserWarning: careful" in warned[1]
    assert thread[0] == ERROR and thread[1].startswith("Exception in thread worker:\nTraceback") and thread[1].endswith("KeyError: 'missing'")
    assert rest == (INFO, "no end")


def test_a_level_is_enough_for_logging(start):
    """As on AWS, where the root logger has a handler; but what the code configures itself takes its place."""
    runtime = start("""
import logging
logger = logging.getLogger()
logger.info("below the root's level")
logger.setLevel(logging.INFO)
logging.getLogger("own").setLevel(logging.DEBUG)
def handler(event, context):
    logger.info("root"); logger.debug("not shown"); logging.getLogger("of.a.library").info("child"); logging.getLogger("own").debug("own")
    try: 1 / 0
    except ZeroDivisionError: logger.exception("caught")
    logging.basicConfig(format="%(levelname)s %(message)s")
    logger.info("configured"); logger.warning("once")
    return len(logger.handlers)
""")
    answer = runtime.get()
    assert answer.json == 1
    runtime.log("WARNING once")
    assert [(entry.level, entry.text.split("\n")[0], entry.invocation) for entry in runtime.logs] == [
        (level, text, answer.invocation) for level, text in (
            (INFO, "root"), (INFO, "child"), (DEBUG, "own"), (ERROR, "caught"), (INFO, "INFO configured"), (WARN, "WARNING once"))]
    assert "ZeroDivisionError" in runtime.logs[3].text


def test_entries_of_many_invocations_at_once_are_told_apart(start):
    runtime = start("""
import asyncio
async def handler(event, context):
    print("begun", event["rawPath"], end="")
    await asyncio.sleep(0.001)
    await asyncio.to_thread(print, " ended", event["rawPath"])
""")
    answers = [runtime.begin(target=f"/{i}") for i in range(20)]
    for i, answer in enumerate(answers):
        runtime.finished(answer)
        entry = runtime.log(f"ended /{i}")
        assert (entry.text, entry.invocation) == (f"begun /{i} ended /{i}", answer.invocation)


def test_long_and_raw_output(start):
    runtime = start("""
import os, sys
def handler(event, context):
    print("x" * 20000 + "é" * 10)
    os.write(1, b"raw \\xff")
    sys.stdout.write("y" * 70000)
""")
    runtime.get()
    runtime.until(lambda: b"raw \xff" in runtime.raw)
    assert len(runtime.log("xxx").text) == 16 << 10
    assert len(runtime.log("yyy").text) == 16 << 10


@pytest.mark.parametrize("code, status, stack", [
    ("sys.exit(3)", "3", "in handler"), ("sys.exit()", "0", "in handler"), ("sys.exit('words')", "1", "in handler"), ("raise SystemExit(4)", "4", "")])
@pytest.mark.parametrize("how", ["def", "async def"])
def test_exit(start, code, status, stack, how):
    runtime = start(f"import sys\n{how} handler(event, context):\n    print('last words', end='')\n    {code}")
    runtime.begin()
    runtime.until(lambda: runtime.fatal)
    assert runtime.fatal[:2] == (3, status) and stack in runtime.fatal[2] and "_mayfly" not in runtime.fatal[2]
    runtime.log("last words")
    runtime.until(lambda: runtime.exit_status is not None)
    assert os.waitstatus_to_exitcode(runtime.exit_status) == int(status)


def test_ends_by_signal_and_os_exit(start):
    for code, status in (("os._exit(9)", 9), ("os.abort()", -signal.SIGABRT), ("os.kill(os.getpid(), 9)", -9)):
        runtime = start(f"import os\ndef handler(event, context): {code}")
        runtime.begin()
        runtime.until(lambda: runtime.exit_status is not None)
        assert os.waitstatus_to_exitcode(runtime.exit_status) == status


def test_tracebacks_are_of_the_code_alone(start):
    runtime = start({"main.py": "from lib import help\nasync def handler(event, context):\n    try: help.me()\n    except KeyError as e: raise ValueError('outer') from e",
                     "lib/help.py": "def me():\n    raise KeyError('inner')"})
    kind, message, stack = runtime.get().error
    assert (kind, message) == (1, "ValueError: outer")
    assert stack.splitlines()[:3] == ["Traceback (most recent call last):", '  File "main.py", line 3, in handler', "    try: help.me()"]
    assert 'File "lib/help.py", line 2, in me' in stack and "direct cause" in stack
    assert "_mayfly" not in stack and runtime.root not in stack


def test_environment_arguments_and_folder(start):
    runtime = start("""
import os, sys
def handler(event, context):
    return [dict(os.environ), sys.argv, os.getcwd(), os.getppid() > 0, __name__, [path for path in sys.path if "mayfly" in path],
            [name for name in sys.modules if "mayfly" in name and not name.startswith("_mayfly")], os.popen("echo $ONE $OMP_NUM_THREADS").read()]
""", env={"ONE": "1", "OMP_NUM_THREADS": "4"})
    environment, arguments, folder, _, name, path, modules, shell = runtime.get().json
    assert environment.pop("PATH") and environment.pop("LANG")
    assert environment == {"ONE": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1"}
    assert (arguments, folder, name, path, modules) == ([f"{runtime.root}/main.py"], runtime.root, "main", [runtime.root], ["mayfly"])
    assert shell == "1 4\n"


def test_instances_draw_different_random_values(start):
    runtime = start("""
import random, uuid, secrets, tempfile, os
at_init = random.random()
random.seed(1)
def handler(event, context):
    return {"pid": os.getpid(), "init": at_init, "random": random.random(), "uuid": str(uuid.uuid4()), "uuid1": str(uuid.uuid1()),
            "secret": secrets.token_hex(), "urandom": os.urandom(8).hex(), "name": next(tempfile._get_candidate_names())}
""")
    seen = []
    for _ in range(20):
        seen.append(runtime.instance().get().json)
    for key in seen[0]:
        assert len({str(each[key]) for each in seen}) == (1 if key == "init" else 20), key


def test_stop_runs_atexit_and_gives_up_on_what_does_not_end(start):
    runtime = start("import atexit\natexit.register(print, 'bye')\ndef handler(event, context): pass")
    assert runtime.get().status == 200
    runtime.stop()
    runtime.log("bye")
    hanging = start("import atexit, time\natexit.register(time.sleep, 3600)\nasync def handler(event, context): pass")
    assert hanging.get().status == 200
    hanging.stop()


def test_an_older_python_says_so(tmp_path):
    """boot.py must be understood by any Python: it is run here with an older one's version."""
    boot = (BUILD / "py/boot.py").read_text()
    ast.parse(boot, feature_version=(3, 4))
    old = "import sys\nsys.version_info = (3, 10, 4)\n" + boot
    done = subprocess.run([PYTHON, "-E", "-s", "-B", "-c", old], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Mayfly needs CPython 3.11 or newer" in done.stderr and "is 3.10" in done.stderr


def test_other_processes(start):
    runtime = start("""
import concurrent.futures, multiprocessing, os, subprocess, sys
def square(n): return n * n
def handler(event, context):
    if event["rawPath"] == "/run": return subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context(event["rawPath"][1:])) as pool:
        return list(pool.map(square, range(4)))
""")
    for how in ("fork", "spawn"):
        assert runtime.get(f"/{how}").text == "[0,1,4,9]", (how, runtime.logs)
    assert runtime.get("/run").text == "42\n"


def test_an_invocation_is_claimed_before_it_begins_and_what_was_taken_back_never_does(start):
    runtime = start("""
import os, time
def handler(event, context):
    print(event["rawPath"])
    while event["rawPath"] == "/wait" and not os.path.exists("go"): time.sleep(0.005)
""")
    runtime.serial_instance()
    running, kept, taken, last = [runtime.begin(target=target) for target in ("/wait", "/kept", "/taken", "/last")]
    runtime.log("/wait")
    assert not runtime.offered(running)[0] and 0 < runtime.offered(running)[1] <= time.monotonic_ns()
    runtime.take_back(taken)
    Path(runtime.root, "go").touch()
    assert runtime.finished(last).status == runtime.finished(kept).status == 200
    assert runtime.offered(kept)[1] >= runtime.offered(running)[1]
    runtime.log("/last")
    assert "/taken" not in [entry.text for entry in runtime.logs]
    assert (taken.status, taken.done) == (0, False), "nothing is said about it"
    runtime.stop()


def test_nothing_begins_before_the_whole_answer_before_it_was_sent(start):
    runtime = start("""
import os
def handler(event, context):
    if event["rawPath"] == "/end": os._exit(3)
    return "x" * 1_000_000
""")
    runtime.serial_instance()
    large = runtime.begin(target="/large", granting=False)
    end = runtime.begin(target="/end")
    runtime.until(lambda: len(large.body) >= 256 << 10, "a full window")
    assert runtime.offered(end)[0]
    runtime.send(CREDIT, stream=large.stream, aux=1_000_000)
    runtime.until(lambda: runtime.closed, "the end")
    assert len(large.body) == 1_000_000 and large.done


def test_a_fork_does_what_was_registered_for_forks(start):
    runtime = start("""
import logging, os, random, threading
told = []
os.register_at_fork(before=lambda: told.append("before"), after_in_child=lambda: told.append("in the child"))
random.gauss(0, 1)
written = logging.StreamHandler()
def other_process():
    # What another thread holds in this one is free there.
    held, done = threading.Event(), threading.Event()
    def hold():
        with written.lock: held.set(); done.wait()
    thread = threading.Thread(target=hold); thread.start(); held.wait()
    pid = os.fork()
    if pid == 0: os._exit(0 if written.lock.acquire(timeout=5) and threading.active_count() == 1 else 1)
    done.set(); thread.join()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def handler(event, context):
    if event["rawPath"] == "/fork": return other_process()
    logging.getLogger("mine").warning("written")
    return {"told": told, "random": [random.gauss(0, 1), random.random()], "own": threading.main_thread().native_id == threading.get_native_id()}
""")
    first, forked = runtime.get().json, runtime.get("/fork").text
    assert first["told"] == ["before", "in the child"] and first["own"]
    assert forked == "0"
    assert set(runtime.instance().get().json["random"]).isdisjoint(first["random"])
