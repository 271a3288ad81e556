"""Calls of functions while an invocation runs: what `import mayfly` gives. On asyncio a call is awaited; where
invocations run one at a time it waits by itself."""

import asyncio
import json
import sys
import threading
import types
import uuid

from . import bridge, datasets, loop, streams

_INVOKE, _NEXT, _PUBLISH = 1, 2, 3
_RESPONSE, _BODY, _WRITABLE, _ERROR = range(4)
_ATTRIBUTES = ("id", "source", "type", "subject", "time", "dataschema", "partitionkey")

_open: dict = {}         # number -> call that is open
_function = ""           # the name of this one
_concurrent = False
_thread = None           # that serves


class CallError(Exception):
    """Why a call has no answer. `type` and `status` are those of the problem document that it would be."""

    def __init__(self, message, type="", status=0, details=None):
        super().__init__(message)
        self.type = type
        self.status = status
        self.details = details or {}
        self._of_next = False

    def _problem(self, invocation: str):
        """The problem document that it stands for, as a gateway passes it on; None if it is not `next` that failed.
        It is the answer of this invocation: that of what failed is for whoever catches the error."""
        if not self._of_next:
            return None
        details = {name: int(text) if name == "exitCode" else text for name, text in self.details.items()}
        title = details.pop("title", None)
        detail = {} if str(self) == title else {"detail": str(self)}
        return {"type": self.type, "title": title, "status": self.status, **detail, **details, "invocation": invocation}


class _Call:
    """One call: what has come of its answer."""

    __slots__ = ("number", "stream", "is_next", "status", "headers", "parts", "over", "error", "writable", "waiters", "source")

    def __init__(self, stream):
        self.stream = stream
        self.is_next = False
        self.status = 0
        self.headers = []
        self.parts = []
        self.over = False
        self.writable = True
        self.error = None
        self.source = None  # of the request's body, where it is sent while the answer is waited for
        self.waiters = []

    def fail(self, error) -> None:
        if not self.over:
            bridge.call_abort(self.number)
            self.end(error)

    def end(self, error=None) -> None:
        self.over = True
        self.error = error
        _open.pop(self.number, None)
        self.wake()

    def wake(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def take(self):
        """The next part that has come; b"" at the end, None if one may come."""
        if self.parts:
            part = self.parts.pop(0)
            if not self.over:
                bridge.call_credit(self.number, len(part))
            return part
        if self.error is not None:
            raise self.error
        return b"" if self.over else None

    async def changed(self) -> None:
        waiter = loop._loop.create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            self.fail(CallError("the call was cancelled"))
            raise

    def wait(self) -> None:
        """Where invocations run one at a time: sends the next part of the body, or waits for the daemon. A call whose
        caller is gone ends here."""
        if self.source is not None and self.writable and not self.over:
            self.feed()
            return
        invocation = bridge.invocation(self.stream)
        if invocation is None or invocation.aborted:
            self.fail(OSError("the client has left"))
        else:
            bridge.pump()

    def feed(self) -> None:
        try:
            part = self.source.__next__()
        except StopIteration:
            self.source = None
            bridge.call_end(self.number)
        else:
            self.writable = bridge.call_body(self.number, _chunk(part))


def on_call(number, what, *facts) -> None:
    """A hook of the extension (calls.cpp)."""
    call = _open.get(number)
    if call is None:
        return
    if what == _RESPONSE:
        call.status, call.headers, part, last = facts
        if part:
            call.parts.append(part)
        if last:
            call.end()
    elif what == _BODY:
        part, last = facts
        if part:
            call.parts.append(part)
        if last:
            call.end()
    elif what == _WRITABLE:
        call.writable = True
    else:
        status, kind, message, text = facts
        details = text.split("\0")
        error = CallError(message, kind, status, dict(zip(details[0::2], details[1::2])))
        error._of_next = call.is_next
        call.end(error)
    call.wake()


class Response:
    """What a function answered. `headers` has each name once, in lower case; `header_list` all of them.

    It can be returned as it is: by a handler of Lambda's form, as `await response(scope, receive, send)` in an ASGI
    application, as `return response(environ, start_response)` in WSGI. What was not read of the body streams through.
    """

    def __init__(self, call):
        self._call = call
        self._read = None
        self.status = call.status
        self.header_list = call.headers
        self.headers: dict[str, str] = {}
        for name, value in call.headers:
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    @property
    def ok(self) -> bool:
        return 200 <= self.status <= 299

    # --- Where invocations run one at a time: the body is read here

    def __iter__(self):
        while True:
            part = self._call.take()
            if part is None:
                self._call.wait()
            elif part:
                yield part
            else:
                return

    @property
    def body(self) -> bytes:
        if self._read is None:
            if _concurrent:
                raise RuntimeError("await response.read() first")
            self._read = b"".join(self)
        return self._read

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def close(self) -> None:
        self._call.fail(CallError("the answer was not wanted any more"))

    # --- On asyncio

    async def __aiter__(self):
        while True:
            part = self._call.take()
            if part is None:
                await self._call.changed()
            elif part:
                yield part
            else:
                return

    async def read(self) -> bytes:
        """The whole body, which `body`, `text` and `json()` have from then on."""
        if self._read is None:
            self._read = b"".join([part async for part in self])
        return self._read

    # --- As an answer

    def __call__(self, *arguments):
        return self._wsgi(*arguments) if len(arguments) == 2 else self._asgi(*arguments)

    def _wsgi(self, environ, start_response):
        start_response(f"{self.status} ", list(self.header_list))
        return iter(self) if self._read is None else [self._read]

    async def _asgi(self, scope, receive, send) -> None:
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.header_list]
        await send({"type": "http.response.start", "status": self.status, "headers": pairs})
        if self._read is None:
            async for part in self:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": self._read or b""})


# --- Beginning one


def _caller():
    invocation = bridge.invocation(streams._stream())
    if invocation is None:
        raise RuntimeError("functions can be called while an invocation runs, and this is outside of one")
    return invocation


def _pairs(headers) -> list:
    items = headers.items() if hasattr(headers, "items") else headers or ()
    return [(name if isinstance(name, str) else name.decode("latin-1"),
             value if isinstance(value, str) else value.decode("latin-1")) for name, value in items]


def _bytes_or_parts(body):
    if body is None:
        return b"", None
    if isinstance(body, str):
        return body.encode(), None
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), None
    return b"", body


def _begin(kind, name, invocation, method, path, pairs, body, event=False):
    """Gives the call, and what of its body is still to be sent."""
    names = {pair[0].lower() for pair in pairs}
    whole, parts = _bytes_or_parts(body)
    if "host" not in names:
        pairs.append(("host", "localhost"))
    if parts is None and body is not None and "content-length" not in names and "transfer-encoding" not in names:
        pairs.append(("content-length", str(len(whole))))
    if "traceparent" not in names:
        pairs += [pair for pair in invocation.headers if pair[0] == "traceparent"]
    call = _Call(invocation.stream)
    call.is_next = kind == _NEXT
    call.number = bridge.call(invocation.stream, kind, name, method, path,
                              [(pair[0].lower(), pair[1]) for pair in pairs], whole, parts is None, event)
    _open[call.number] = call
    return call, parts


def _chunk(part) -> bytes:
    return part.encode() if isinstance(part, str) else bytes(part)


async def _send_later(call, parts) -> None:
    try:
        if hasattr(parts, "__aiter__"):
            async for part in parts:
                if call.over:
                    return
                await _send_one(call, part)
        else:
            for part in parts:
                if call.over:
                    return
                await _send_one(call, part)
        bridge.call_end(call.number)
    except Exception as error:
        call.fail(error)


async def _send_one(call, part) -> None:
    call.writable = bridge.call_body(call.number, _chunk(part))
    while not call.writable and not call.over:
        await call.changed()


def _finish(call, parts) -> Response:
    if parts is not None:
        call.source = iter(parts)
    while not call.status and call.error is None:
        call.wait()
    if not call.status:
        raise call.error
    return Response(call)


async def _finish_later(call, parts) -> Response:
    sender = asyncio.ensure_future(_send_later(call, parts)) if parts is not None else None
    while not call.status and call.error is None:
        await call.changed()
    if not call.status:
        if sender is not None:
            sender.cancel()
        raise call.error
    return Response(call)


def _invoke_arguments(name, method, path, headers, body, payload):
    pairs = _pairs(headers)
    if payload is None:
        return _INVOKE, name, _caller(), method or ("GET" if body is None else "POST"), path, pairs, body, False
    if body is not None:
        raise TypeError("invoke() got both payload and body")
    return _INVOKE, name, _caller(), "POST", path, [("content-type", "application/json"), *pairs], json.dumps(payload), True


_HOP = ("content-length", "transfer-encoding")


def _next_arguments(method, path, headers, body):
    invocation = _caller()
    pairs = _pairs(headers) if headers is not None else invocation.headers
    if body is not None:
        pairs = [pair for pair in pairs if pair[0].lower() not in _HOP]
    else:
        body = _rest_of(invocation) if invocation.more else invocation.body() or None
    return _NEXT, "", invocation, method or invocation.method, path or invocation.target, pairs, body, False


def _rest_of(invocation):
    return _rest_later(invocation) if _concurrent else iter(invocation.read, b"")


async def _rest_later(invocation):
    while True:
        part = invocation.part()
        if part is None:
            await loop.changed(invocation)
        elif part:
            yield part
        else:
            return


def _publish_arguments(topic, data, attributes, extensions, content_type):
    attributes = {"id": str(uuid.uuid4()), "source": f"/functions/{_function}", "type": topic,
                  **{name: value for name, value in attributes.items() if value is not None}}
    pairs = [("ce-specversion", "1.0")]
    for name, value in {**attributes, **(extensions or {})}.items():
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        pairs.append((f"ce-{name.lower()}", "".join(c if "!" <= c <= "~" and c not in '"%' else _percent(c) for c in text)))
    if isinstance(data, str):
        kind, body = "text/plain;charset=UTF-8", data.encode()
    elif data is None or isinstance(data, (bytes, bytearray, memoryview)):
        kind, body = "application/octet-stream", data
    else:
        kind, body = "application/json", json.dumps(data).encode()
    if body is not None:
        pairs.append(("content-type", content_type or kind))
    return attributes["id"], (_PUBLISH, topic, _caller(), "POST", f"/topics/{topic}", pairs, body, False)


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _published(identity, response, body) -> dict:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    if response.ok:
        return {**answer, "id": identity}
    raise CallError(answer.get("detail") or answer.get("title") or f"publish: status {response.status}",
                    answer.get("type", ""), response.status, answer)


# --- The module


def _run(arguments):
    if _concurrent:
        return _run_later(arguments)
    if threading.current_thread() is not _thread:
        raise RuntimeError("functions can be called from the thread that the handler runs in, and from no other")
    return _finish(*_begin(*arguments))


async def _run_later(arguments):
    return await _finish_later(*_begin(*arguments))


def _sync(function):
    """`function` where it cannot be awaited: in a thread beside asyncio's."""

    def call(*arguments, **more):
        if not _concurrent:
            return function(*arguments, **more)
        if threading.current_thread() is _thread:
            raise RuntimeError(f"await mayfly.{function.__name__}(…) here: waiting would stop the event loop")
        stream = streams._stream()

        async def run():
            streams.current.set(stream)
            result = await function(*arguments, **more)
            if isinstance(result, Response):
                await result.read()
            return result

        return asyncio.run_coroutine_threadsafe(run(), loop._loop).result()

    return call


def invoke(name, *, method=None, path="/", headers=None, body=None, payload=None):
    """Call a function: a Response, to be awaited on asyncio. `payload` is an event, sent as JSON."""
    return _run(_invoke_arguments(name, method, path, headers, body, payload))


def next(*, method=None, path=None, headers=None, body=None):
    """In a decorator: call what it is around, with its own request but for what is given."""
    return _run(_next_arguments(method, path, headers, body))


def publish(topic, data=None, *, id=None, source=None, type=None, subject=None, time=None, dataschema=None, partition=None,
            content_type=None, extensions=None):
    """Publish an event: {"id": …} when it is stored, to be awaited on asyncio."""
    attributes = {"id": id, "source": source, "type": type, "subject": subject, "time": time, "dataschema": dataschema,
                  "partitionkey": partition}
    identity, arguments = _publish_arguments(topic, data, attributes, extensions, content_type)
    if _concurrent:
        return _publish_later(identity, arguments)
    response = _run(arguments)
    return _published(identity, response, response.body)


async def _publish_later(identity, arguments):
    response = await _run_later(arguments)
    return _published(identity, response, await response.read())


def install() -> None:
    """Before any user code: `import mayfly` finds this."""
    module = types.ModuleType("mayfly", "Mayfly's platform: other functions, topics and datasets.")
    module.invoke, module.next, module.publish = invoke, next, publish
    module.invoke_sync, module.next_sync, module.publish_sync = _sync(invoke), _sync(next), _sync(publish)
    module.CallError, module.Response = CallError, Response
    module.datasets, module.dataset_files, module.DatasetFile = datasets.mapped, datasets.dataset_files, datasets.DatasetFile
    sys.modules["mayfly"] = module


def configure(function: str, concurrent: bool) -> None:
    """Before an instance is forked, or serves."""
    global _function, _concurrent, _thread
    _function, _concurrent, _thread = function, concurrent, threading.current_thread()
