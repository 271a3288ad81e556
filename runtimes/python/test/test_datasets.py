"""Datasets as Python functions see them."""

import pytest
from harness import Runtime

LOG = b"one\ntwo\n" * 1000


def test_they_are_there_at_import_and_in_each_instance(start):
    runtime = start("""
import mayfly, os
from mayfly import datasets
at_import = datasets["access-log"]
lines = bytes(at_import).count(b"\\n")
def handler(event, context):
    log = context.datasets["access-log"]
    return [lines, log is at_import, log is mayfly.datasets["access-log"], type(log).__name__, log.readonly, log.format, bytes(log[-4:]).decode(),
            [[file.name, file.offset, file.size] for file in context.dataset_files("access-log")],
            len(datasets["empty"]), bytes(datasets["empty"]).decode(), sorted(datasets), os.path.exists("/proc/self/fd/100")]
""", datasets={"access-log": LOG, "empty": b""})
    assert runtime.ready()["unsafe"] == []
    for _ in range(2):
        assert runtime.instance().get().json == [
            2000, True, True, "memoryview", True, "B", "two\n", [["access-log.bin", 0, 8000]], 0, "", ["access-log", "empty"], False]


def test_without_a_copy_and_without_a_way_to_write(start):
    """What numpy.frombuffer() and pyarrow.py_buffer() do: they ask for the buffer, and hold its address."""
    runtime = start("""
import ctypes, mayfly
def address(view):
    class Buffer(ctypes.Structure):
        _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t)] + [("rest", ctypes.c_void_p * 10)]
    buffer = Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    return buffer.buf
where = address(mayfly.datasets["data"])
def handler(event, context):
    data = context.datasets["data"]
    tried = []
    for write in (lambda: data.__setitem__(0, 0), lambda: context.datasets.__setitem__("data", b""), lambda: memoryview(data).cast("c").__setitem__(0, b"x")):
        try: write()
        except (TypeError, AttributeError) as error: tried.append(type(error).__name__)
    return [where == address(data), where % (2 << 20), ctypes.string_at(where, 4).decode(), tried]
""", datasets={"data": b"data" * 5000})
    assert runtime.get().json == [True, 0, "data", ["TypeError", "AttributeError", "TypeError"]]


@pytest.mark.parametrize("form", ["asgi", "wsgi"])
def test_applications_have_them_by_import(start, form):
    runtime = start({
        "asgi": """
from mayfly import datasets
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(datasets["data"])})
""",
        "wsgi": """
from mayfly import datasets
def app(environ, start_response):
    start_response("200 OK", [])
    return [bytes(datasets["data"])]
"""}[form], datasets={"data": b"content"})
    assert runtime.ready()["form"] == form
    assert runtime.get().text == "content"


def test_one_that_is_not_listed_is_a_key_error_that_says_so(start):
    runtime = start("""
import mayfly
def handler(event, context):
    said = []
    for ask in (lambda: context.datasets["other"], lambda: mayfly.dataset_files("other")):
        try: ask()
        except KeyError as error: said.append(error.args[0])
    return said + [context.datasets.get("other"), "other" in mayfly.datasets]
""")
    assert runtime.get().json == ["the function lists no dataset 'other'"] * 2 + [None, False]


def test_code_that_is_loaded_in_each_instance_has_them(start):
    runtime = start("import mayfly\ndata = bytes(mayfly.datasets['data']).decode()\ndef handler(event, context): return data",
                    direct=True, datasets={"data": b"content"})
    assert runtime.get().text == "content"


def test_one_that_cannot_be_mapped_is_why_the_template_fails():
    runtime = Runtime("def handler(event, context): pass", datasets={"data": b"four"})
    runtime.configuration["datasets"][0]["size"] = 5
    with runtime:
        failure = runtime.failed()
    assert failure["kind"] == "init"
    assert "the dataset 'data': the dataset is said to have 5 bytes, but its file has 4" in failure["message"]
