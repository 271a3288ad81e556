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
import traceback

from . import handler


async def _breathe() -> None:
    await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.sleep(0), 1)


async def _sample(event, context):
    return event


def warm_up() -> None:
    loop = asyncio.SelectorEventLoop()
    loop.run_until_complete(_breathe())
    loop.close()
    handler.form_of(_sample)
    try:
        raise ValueError("warm-up")
    except ValueError as error:
        "".join(traceback.TracebackException.from_exception(error).format())
    "é".encode("idna")
    "x".encode("latin-1")
