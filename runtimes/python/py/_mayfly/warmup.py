"""Loads what nearly every function needs, and runs the code of this runtime once, before the first fork: every
template and instance is born with it."""

# Loaded, not used: an import in a template costs each new function, one in an instance each fork.
import base64  # noqa: F401
import contextlib  # noqa: F401
import copy  # noqa: F401
import dataclasses  # noqa: F401
import datetime  # noqa: F401
import decimal  # noqa: F401
import email.message  # noqa: F401
import hashlib  # noqa: F401
import hmac  # noqa: F401
import html  # noqa: F401
import http.client  # noqa: F401
import http.cookies  # noqa: F401
import json  # noqa: F401
import logging  # noqa: F401
import random  # noqa: F401
import secrets  # noqa: F401
import string  # noqa: F401
import subprocess  # noqa: F401
import tempfile  # noqa: F401
import typing  # noqa: F401
import urllib.parse  # noqa: F401
import urllib.request  # noqa: F401
import uuid  # noqa: F401
import zoneinfo  # noqa: F401

import asyncio
import socket
import struct
import traceback

from . import bridge, handler, streams

_ROUNDS = 64  # calls after which CPython has specialised what is called


async def _breathe() -> None:
    await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.sleep(0), 1)


def _sync(event, context):
    print(context.aws_request_id)
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": event["rawPath"]}


async def _async(event, context):
    if "body" in event:
        await asyncio.sleep(0)
    return {"path": event["rawPath"], "left": context.get_remaining_time_in_millis()}


async def _asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        for done in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            await receive()
            await send({"type": done})
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["raw_path"]})


def _wsgi(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [environ["wsgi.input"].read()]


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack("<IBBBBII", len(payload), kind, flags, 1, 0, stream, 0) + payload


def _invoke(number: int) -> bytes:
    """An invented request, as docs/wire.md has it."""
    post = number % 8 == 0
    headers = b"host\0localhost:8080\0user-agent\0warm-up\0accept\0*/*\0cookie\0a=b\0content-type\0application/json\0"
    head = struct.pack("<Q", 1 << 62)
    for text in (b"warm-up", b"127.0.0.1", b"http", b"POST" if post else b"GET", b"/path?a=b", headers):
        head += struct.pack("<I", len(text)) + text
    return _frame(1, 1, 1024 + number, head + (b'{"a":1}' if post else b""))


def _rehearse(form, function) -> None:
    """Serve invented requests as an instance would."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(b"".join(map(_invoke, range(_ROUNDS))) + _frame(3, 0, 0))

        def play() -> None:
            form.prepare(function, {"function": "warm-up", "version": 1, "memory": 1 << 27})
            form.serve()
            form.shut_down()

        bridge.rehearse(theirs.detach(), play)


def warm_up(forms: dict) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(_breathe())
    loop.close()
    for name, function in (("lambda", _sync), ("lambda", _async), ("asgi", _asgi), ("wsgi", _wsgi)):
        handler.form_of(function)
        _rehearse(forms[name], function)
    asyncio.set_event_loop(forms["asgi"].loop._loop)
    streams.running = 0
    try:
        raise ValueError("warm-up")
    except ValueError as error:
        "".join(traceback.TracebackException.from_exception(error).format())
    "é".encode("idna")
