"""Packages from PyPI, deployed as they come: what the examples do not show."""

import pytest

from support.daemon import REPOSITORY

EXAMPLES = REPOSITORY / "examples"


def deploy(daemon, example, name, *settings):
    options = [word for setting in settings for word in ("--set", setting)]
    daemon.cli("deploy", EXAMPLES / example, "--name", name, *options, timeout=300)
    return daemon.describe(name)


@pytest.mark.parametrize("threads", ["1", "4"])
def test_numpy_with_threads_is_loaded_in_each_instance_and_describe_says_so(daemon, threads):
    name = f"numpy-{threads}"
    settings = [] if threads == "1" else [f"env.OPENBLAS_NUM_THREADS={threads}"]
    deploy(daemon, "numpy", name, *settings)
    answer = daemon.request(f"/{name}", "POST", body="[[0, 1], [1, 3], [2, 5]]", timeout=60)
    assert answer.json == {"slope": 2.0, "offset": 1.0, "trace": 1024.0}
    template = daemon.describe(name)["live"]["templates"][0]
    if threads == "1":
        assert template["state"] == "ready" and "reason" not in template
    else:
        assert template["state"] == "direct" and "thread" in template["reason"]


def test_a_background_task_of_starlette_goes_on_after_the_answer(daemon, tmp_path):
    (tmp_path / "requirements.txt").write_text((EXAMPLES / "starlette" / "requirements.txt").read_text())
    (tmp_path / "main.py").write_text("""
import asyncio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse
from starlette.routing import Route

done = asyncio.Event()

async def later():
    await asyncio.sleep(0.05)
    print("it is done")
    done.set()

async def start(request):
    return JSONResponse({"done": done.is_set()}, background=BackgroundTask(later))

async def wait(request):
    await done.wait()
    return JSONResponse({"done": done.is_set()})

app = Starlette(routes=[Route("/start", start), Route("/wait", wait)])
""")
    daemon.cli("deploy", tmp_path, "--name", "background", "--set", "max_instances=1", timeout=300)
    assert daemon.request("/background/start").json == {"done": False}
    assert daemon.request("/background/wait").json == {"done": True}


def test_django_keeps_its_database_while_its_instance_lives(daemon):
    """In its instance's own /tmp, where loading has made it."""
    deploy(daemon, "django", "library", "max_instances=1")
    for title in ("one", "two"):
        body = f'{{"title": "{title}", "year": 2000, "author": "Ada"}}'
        answer = daemon.request("/library/books", "POST", body=body, headers={"content-type": "application/json"})
        assert answer.status == 201, answer.text
    body = b'{"title": "three", "year": 2000, "author": "Ada"}'
    with daemon.wire() as wire:  # it reads as many bytes as the length says, and there is none
        wire.send("POST /library/books HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert wire.answer().status == 201
    assert [book["title"] for book in daemon.request("/library/books?since=2000").json] == ["one", "two", "three"]


def test_addresses_that_frameworks_make_lead_to_the_function(daemon, tmp_path):
    """It is mounted at /NAME: ASGI's root_path, WSGI's SCRIPT_NAME."""
    deploy(daemon, "fastapi", "fast")
    redirect = daemon.request("/fast/countdown/", headers={"host": "example.com"})
    assert (redirect.status, redirect.header("location")) == (307, "http://example.com/fast/countdown")
    assert "'/fast/openapi.json'" in daemon.request("/fast/docs").text
    assert "/countdown" in daemon.request("/fast/openapi.json").json["paths"]

    (tmp_path / "requirements.txt").write_text((EXAMPLES / "flask" / "requirements.txt").read_text())
    (tmp_path / "main.py").write_text("""
from flask import Flask, url_for
app = Flask(__name__)

@app.get("/list/")
def list_them(): return url_for("list_them")
""")
    daemon.cli("deploy", tmp_path, "--name", "flasky", timeout=300)
    redirect = daemon.request("/flasky/list", headers={"host": "example.com"})
    assert (redirect.status, redirect.header("location")) == (308, "http://example.com/flasky/list/")
    assert daemon.request("/flasky/list/").text == "/flasky/list/"
