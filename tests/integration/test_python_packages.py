"""Frameworks and libraries from PyPI, unmodified, in a virtual environment that `interpreter` names."""

import concurrent.futures

import pytest

from support import processes
from support.python_packages import interpreter


@pytest.fixture(scope="module")
def deploy(daemon):
    python = interpreter()

    def make(name, source, **settings):
        daemon.deploy(name, source, file="main.py", interpreter=python, **settings)
        assert "loads the code itself" not in daemon.cli("describe", name).stdout, "it cannot be forked"

    return make


def test_fastapi(daemon, deploy):
    deploy("fastapi", """
import threading, time
from contextvars import ContextVar
import anyio
from fastapi import BackgroundTasks, Depends, FastAPI, File, UploadFile, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware
app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["*"])
who = ContextVar("who", default="nobody")
class Named(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        who.set(request.headers.get("x-who", "unnamed"))
        return await call_next(request)
app.add_middleware(Named)
def dependency():
    yield threading.current_thread() is threading.main_thread()
@app.get("/sync")
def sync(main: bool = Depends(dependency)): return {"main": main, "thread": threading.current_thread() is threading.main_thread(), "who": who.get()}
@app.get("/groups")
async def groups():
    seen = []
    async def one(n):
        await anyio.sleep(0.001 * n)
        seen.append(n)
    async with anyio.create_task_group() as group:
        for n in (3, 1, 2): group.start_soon(one, n)
    with anyio.move_on_after(0.01) as scope: await anyio.sleep(10)
    return {"seen": seen, "cancelled": scope.cancelled_caught}
@app.post("/upload")
async def upload(file: UploadFile = File()): return {"name": file.filename, "size": len(await file.read())}
@app.get("/background")
def background(tasks: BackgroundTasks):
    tasks.add_task(lambda: print("in the background"))
    return {}
@app.get("/stream")
def stream(): return StreamingResponse((b"x" * 50_000 for _ in range(40)), media_type="application/octet-stream")
@app.get("/boom")
async def boom(): raise ValueError("fastapi lets it through")
""")
    answer = daemon.request("/fastapi/sync", headers={"origin": "http://a", "x-who": "ada"})
    assert answer.json == {"main": False, "thread": False, "who": "ada"}
    assert answer.header("access-control-allow-origin") == "*"
    assert daemon.request("/fastapi/groups").json == {"seen": [1, 2, 3], "cancelled": True}
    body = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * 300_000 + b"\r\n--b--\r\n"
    answer = daemon.request("/fastapi/upload", "POST", body=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.json == {"name": "a.txt", "size": 300_000}
    assert daemon.request("/fastapi/background").status == 200
    processes.eventually(lambda: "in the background" in daemon.cli("logs", "fastapi").stdout)
    assert len(daemon.request("/fastapi/stream").body) == 2_000_000
    boom = daemon.request("/fastapi/boom")
    assert boom.status == 500 and "lets it through" not in boom.text
    processes.eventually(lambda: "ValueError: fastapi lets it through" in daemon.cli("logs", "fastapi").stdout)
    assert daemon.request("/fastapi/docs").status == 200
    assert daemon.request("/fastapi/nowhere").status == 404
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        names = [f"n{i}" for i in range(64)]
        answers = list(pool.map(lambda name: daemon.request("/fastapi/sync", headers={"x-who": name}).json["who"], names))
    assert answers == names


def test_starlette_sessions_files_and_disconnect(daemon, deploy):
    deploy("starlette", """
import asyncio
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
left = asyncio.Event()
async def forever(request):
    async def parts():
        try:
            while True:
                yield "part"
                await asyncio.sleep(0.005)
        finally:
            left.set()
    return StreamingResponse(parts())
async def was_left(request):
    await asyncio.wait_for(left.wait(), 5)
    return PlainTextResponse("left")
async def where(request): return PlainTextResponse(str(request.url_for("where")) + " " + request.client.host)
app = Starlette(routes=[Route("/forever", forever), Route("/left", was_left), Route("/file", lambda r: FileResponse(__file__)),
                        Mount("/sub", routes=[Route("/where", where, name="where")])])
""", max_instances="1")
    with daemon.wire() as wire:
        wire.get("/starlette/forever")
        wire.head()
        assert wire.chunk() == b"part"
    assert daemon.request("/starlette/left").text == "left"
    answer = daemon.request("/starlette/file", headers={"range": "bytes=0-5"})
    assert (answer.status, answer.body) == (206, b"\nimpor")
    assert daemon.request("/starlette/sub/where").text.endswith("/sub/where 127.0.0.1")


def test_flask(daemon, deploy):
    deploy("flask", """
from flask import Flask, Response, abort, g, jsonify, make_response, redirect, request, stream_with_context
app = Flask(__name__)
@app.before_request
def before(): g.seen = request.args.get("seen", "no")
@app.get("/")
def home(): return f"{g.seen} {request.remote_addr} {request.host_url}"
@app.post("/json")
def json(): return jsonify(request.get_json()), 201
@app.post("/upload")
def upload(): return str(len(request.files["file"].read()))
@app.post("/stream")
def stream():
    def parts():
        while part := request.stream.read(1000): yield part.upper()
    return Response(stream_with_context(parts()))
@app.get("/cookies")
def cookies():
    answer = make_response("x"); answer.set_cookie("a", "1"); answer.set_cookie("b", "2"); return answer
@app.get("/gone")
def gone(): abort(410)
@app.get("/away")
def away(): return redirect("/elsewhere")
@app.get("/boom")
def boom(): raise ValueError("flask catches")
""")
    assert daemon.request("/flask?seen=yes").text.startswith("yes 127.0.0.1 http://127.0.0.1")
    answer = daemon.request("/flask/json", "POST", json={"a": [1]})
    assert (answer.status, answer.json) == (201, {"a": [1]})
    body = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * 300_000 + b"\r\n--b--\r\n"
    assert daemon.request("/flask/upload", "POST", body=body, headers={"content-type": "multipart/form-data; boundary=b"}).text == "300000"
    with daemon.wire() as wire:
        wire.send("POST /flask/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert wire.answer().body == b"ABCDE"
    assert len(daemon.request("/flask/cookies").all("set-cookie")) == 2
    assert daemon.request("/flask/gone").status == 410
    assert daemon.request("/flask/away").header("location") == "/elsewhere"
    boom = daemon.request("/flask/boom")
    assert boom.status == 500 and "flask catches" not in boom.text
    processes.eventually(lambda: "ValueError: flask catches" in daemon.cli("logs", "flask").stdout)


@pytest.mark.parametrize("form", ["wsgi", "asgi"])
def test_django(daemon, deploy, form):
    deploy(f"django-{form}", f"""
import asyncio, sys, django
from django.conf import settings
from django.core.{form} import get_{form}_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, DEBUG=False, LOGGING_CONFIG=None, MIDDLEWARE=["django.middleware.common.CommonMiddleware"])
def home(request): return HttpResponse(f"{{request.method}} {{request.path}} {{request.GET.get('q')}}")
async def later(request):
    await asyncio.sleep(0.001)
    return JsonResponse({{"body": request.body.decode()}})
def stream(request): return StreamingHttpResponse(iter(["a", "b"]))
def boom(request): raise ValueError("django logs it")
urlpatterns = [path("", home), path("later", later), path("stream", stream), path("boom", boom)]
application = get_{form}_application()
""")
    url = f"/django-{form}"
    assert daemon.request(f"{url}?q=1").text == f"GET {url}/ 1"
    assert daemon.request(f"{url}/later", "POST", body="hello").json == {"body": "hello"}
    assert daemon.request(f"{url}/stream").text == "ab"
    assert daemon.request(f"{url}/boom").status == 500
    processes.eventually(lambda: "ValueError: django logs it" in daemon.cli("logs", f"django-{form}").stdout)


def test_numpy_and_pandas_are_forked_and_draw_different_numbers(daemon, deploy):
    deploy("numbers", """
import os, threading
import numpy as np, pandas as pd
np.random.seed(1)
frame = pd.DataFrame({"x": np.arange(1_000_000)})
def handler(event, context):
    threading.Timer(0.005, os._exit, [0]).start()
    matrix = np.random.rand(200, 200)
    return {"pid": os.getpid(), "sum": int(frame.x.sum()), "det": float(np.linalg.det(matrix @ matrix)), "new": float(np.random.default_rng().random())}
""", max_instances="4")
    answers = {}
    for _ in range(200):
        answer = daemon.request("/numbers")
        if answer.status == 200:
            answers[answer.json["pid"]] = answer.json
        if len(answers) == 10:
            break
    assert len(answers) == 10
    assert {answer["sum"] for answer in answers.values()} == {499_999_500_000}
    for key in ("det", "new"):
        assert len({answer[key] for answer in answers.values()}) == 10


def test_native_threads_make_a_function_load_in_each_instance(daemon):
    source = "import numpy as np\nm = np.ones((300, 300)) @ np.ones((300, 300))\ndef handler(event, context): return int((m @ m)[0, 0])"
    answer = daemon.put("threads", source, file="threads.py", interpreter=interpreter(), **{"env.OPENBLAS_NUM_THREADS": "2"})
    assert answer.status in (200, 201), answer.text
    assert daemon.request("/threads").text == "27000000"
    assert "thread(s) running" in daemon.cli("describe", "threads").stdout
