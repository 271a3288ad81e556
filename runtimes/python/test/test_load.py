"""Finding the handler, importing the code, and what is told when that fails."""

import pytest

HELLO = "def handler(event, context): return 'hello'"


def serves(start, files, **more):
    runtime = start(files, **more)
    form = runtime.ready()["form"]
    answer = runtime.get()
    return f"{form}: {answer.error[1] if answer.error else answer.text}"


@pytest.mark.parametrize("source, handler, wanted", [
    (HELLO, "default", "lambda: hello"),
    ("def lambda_handler(event, context): return 'x'", "default", "lambda: x"),
    ("def main(a, b): return 'x'", "default", "lambda: x"),
    ("def main(): pass\ndef lambda_handler(event, context): return 'x'", "default", "lambda: x"),
    ("handler = lambda event, context: 'x'", "default", "lambda: x"),
    ("import functools\nhandler = functools.partial(lambda who, event, context: who, 'x')", "default", "lambda: x"),
    ("class Adapter:\n    def __call__(self, event, context): return 'x'\nhandler = Adapter()", "default", "lambda: x"),
    ("def wrap(f):\n    def inner(*args, **kw): return f(*args, **kw)\n    return inner\n@wrap\ndef handler(event, context): return 'x'", "default", "lambda: x"),
    ("def one(event, context): return 'one'", "one", "lambda: one"),
    ("def one(event, context): return 'one'", "main.one", "lambda: one"),
    ("def one(event, context): return 'one'", "main:one", "lambda: one"),
    ("async def handler(event, context): return 'async'", "default", "lambda: async"),
    ("def app(env, start): start('200 OK', []); return [b'x']", "default", "wsgi: x"),
    ("def app(environ, sr): sr('200 OK', []); return [b'x']", "default", "wsgi: x"),
    ("def app(env, resp): resp('200 OK', []); return [b'x']", "default", "wsgi: x"),
    ("def app(e, start_response): start_response('200 OK', []); return [b'x']", "default", "wsgi: x"),
    ("def handler(env, ctx): return 'x'", "default", "lambda: x"),
    ("def handler(environ, _): return 'x'", "default", "lambda: x"),
    ("async def handler(env, start): return 'x'", "default", "lambda: x"),
])
def test_handlers(start, source, handler, wanted):
    assert serves(start, source, handler=handler) == wanted


def test_modules_folders_and_names_of_the_standard_library(start):
    assert serves(start, {"main.py": "", "other/name.py": HELLO}, handler="other.name.handler") == "lambda: hello"
    assert serves(start, {"main.py": "", "other/name.py": HELLO}, handler="other/name.handler") == "lambda: hello"
    assert serves(start, {"src/main.py": "from near import x\nimport far\ndef handler(event, context): return x + far.y",
                          "src/near.py": "x = 'near '", "far.py": "y = 'far'"}, entry="src/main.py") == "lambda: near far"
    assert serves(start, {"pkg/__init__.py": "", "pkg/main.py": "from .near import x\ndef handler(event, context): return x + __name__",
                          "pkg/near.py": "x = 'near '"}, entry="pkg/main.py") == "lambda: near pkg.main"
    for name in ("json.py", "my-function.py", "asyncio.py", "errors.py", "code.py"):
        assert serves(start, {name: "import json, asyncio\ndef handler(event, context): return json.dumps(1)"}, entry=name) == "lambda: 1"
    assert serves(start, {"main.py": "import main\ndef handler(event, context): return str(main.handler is handler)"}) == "lambda: True"


def test_vendored_packages_and_layers(start, tmp_path):
    (tmp_path / "layered.py").write_text("x = 'layer'")
    (tmp_path / "both.py").write_text("x = 'layer'")
    runtime = start({"main.py": "import layered, vendored, both\ndef handler(event, context): return [layered.x, vendored.x, both.x]",
                     "vendor/vendored.py": "x = 'vendor'", "vendor/both.py": "x = 'vendor'"}, layers=[str(tmp_path)])
    assert runtime.get().json == ["layer", "vendor", "vendor"]


@pytest.mark.parametrize("source, handler, message", [
    ("x = 1", "default", "main has no handler, lambda_handler, app, application or main. It defines nothing that could serve"),
    ("def hello(event, context): pass", "default", 'Did you mean handler = "hello"?'),
    ("def handler(event, context): pass", "hander", 'main has no "hander". Did you mean handler = "handler"?'),
    ("def b(event, context): pass\ndef c(event, context): pass", "something", "Set handler to one of: b, c."),
    ("handler = 5", "handler", '"handler" is of type int, not a handler.'),
    ("def handler(event): pass", "default", '"handler" cannot be called as handler(event, context)'),
    ("def handler(event, context): pass", "nowhere.handler", "There is no file nowhere.py"),
])
def test_missing_handlers(start, source, handler, message):
    failed = start(source, handler=handler).failed()
    assert (failed["kind"], failed["file"], failed["stack"]) == ("export", "main.py", "")
    assert message in failed["message"]


BAD = "a = 1\n\ndef = 2\n"


@pytest.mark.parametrize("files, kind, file, line, message", [
    ({"main.py": BAD}, "syntax", "main.py", 3, "SyntaxError: invalid syntax"),
    ({"main.py": "if True:\nx = 1"}, "syntax", "main.py", 2, "IndentationError: expected an indented block"),
    ({"main.py": "import lib.b", "lib/b.py": BAD}, "syntax", "lib/b.py", 3, "SyntaxError"),
    ({"main.py": b"x = '\xff'"}, "syntax", "main.py", 1, "SyntaxError"),
    ({"main.py": "\nraise ValueError('init')"}, "init", "main.py", 2, "ValueError: init"),
    ({"main.py": "import b", "b.py": "\n\nNone.x"}, "init", "b.py", 3, "AttributeError: 'NoneType' object has no attribute 'x'"),
    ({"main.py": "\nimport nowhere"}, "init", "main.py", 2, "ModuleNotFoundError: No module named 'nowhere': packages are installed from requirements.txt"),
    ({"main.py": "from b import c", "b.py": ""}, "init", "main.py", 1, "ImportError: cannot import name 'c' from 'b'"),
    ({"main.py": "import json\njson.loads('{')"}, "init", "main.py", 2, "JSONDecodeError"),
    ({"main.py": "import vendored\n", "vendor/vendored.py": "1 / 0"}, "init", "main.py", 1, "ZeroDivisionError"),
    ({"main.py": "import lib.b", "lib/b.py": "a = 1\0"}, "syntax", "lib/b.py", None, "lib/b.py has NUL bytes in it"),
    ({"main.py": "import sys\nsys.exit(2)"}, "init", "main.py", 2, "sys.exit(2) was called while the code was loading"),
    ({"main.py": "class E(Exception):\n    def __str__(self): 1 / 0\nraise E()"}, "init", "main.py", 3, "E"),
])
def test_code_that_cannot_be_loaded(start, files, kind, file, line, message):
    runtime = start(files)
    failed = runtime.failed()
    assert (failed["kind"], failed.get("file"), failed.get("line")) == (kind, file, line)
    assert message in failed["message"]
    assert "_mayfly" not in failed["stack"] and "importlib" not in failed["stack"] and runtime.root not in failed["stack"] + failed["message"]


def test_code_that_loads_too_long_says_where(start):
    """Before the daemon ends it; here the alarm comes at once."""
    runtime = start({"main.py": "import server\nserver.serve_forever()\n" + HELLO,
                     "server.py": "import signal\ndef serve_forever():\n    signal.raise_signal(signal.SIGALRM)"})
    assert runtime.ready() is not None, "it may come to its end still"
    text = runtime.log("not finished loading").text
    assert 'File "main.py", line 2, in <module>' in text and 'File "server.py", line 3, in serve_forever' in text
    assert "_mayfly" not in text and "no server of its own" in text


def test_a_signal_while_the_code_loads_says_where(start):
    runtime = start("import ctypes\nctypes.string_at(0)")
    runtime.until(lambda: b"line 2 in <module>" in runtime.raw)
    assert b"Segmentation fault" in runtime.raw


@pytest.mark.parametrize("source, wanted", [
    ("import socket; s = socket.socket()", "init left socket"),
    ("import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "init left 1 thread(s) running"),
    ("import sqlite3; db = sqlite3.connect('/tmp/x.sqlite'); db.execute('select 1')", None),
    ("import tempfile; f = tempfile.TemporaryFile()", "open for writing"),
    ("import concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor() as pool: pool.submit(print)", None),
    ("f = open(__file__); import asyncio; asyncio.run(asyncio.sleep(0))", None),
    ("import asyncio; loop = asyncio.new_event_loop()", "init left socket"),
    ("import asyncio; loop = asyncio.get_event_loop(); loop.run_until_complete(asyncio.to_thread(print)); loop._default_executor.shutdown()", None),
])
def test_what_a_fork_cannot_share_is_told(start, source, wanted):
    ready = start(source + "\n" + HELLO).ready()
    if wanted is None:
        assert ready["unsafe"] == [] or "sqlite" in ready["unsafe"][0]
    else:
        assert any(wanted in reason for reason in ready["unsafe"]), ready
    assert len(ready["warnings"]) == len(ready["unsafe"])


def test_direct(start):
    runtime = start("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n" + HELLO, direct=True)
    assert runtime.get().text == "hello"
    failing = start("raise ValueError('init')", direct=True)
    failing.until(lambda: failing.fatal)
    assert failing.fatal[:2] == (1, "ValueError: init")


def test_what_the_template_did_is_there_in_each_instance(start):
    runtime = start("import os\npid = os.getpid()\ncount = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return [pid == os.getpid(), count]")
    assert [runtime.get().json, runtime.get().json] == [[False, 1], [False, 2]]
    assert runtime.instance().get().json == [False, 1]
