"""The Lambda form: handler(event, context), sync (one at a time) or async (many at once). A generator gives the
answer's body in parts."""

import asyncio
import base64
import inspect
import json
import time

from . import bridge, errors, handler as handlers, loop, streams

_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
HOOKS = {"to_json": _to_json, "base64_encode": lambda body: base64.b64encode(body).decode(),
          "base64_decode": base64.b64decode}
NO_HOOKS = dict.fromkeys(("on_abort", "on_stop", "wake", "receive_later", "send_later"), lambda *_: None)
_hooks: dict = {}
_async = False
_private_loop: asyncio.AbstractEventLoop | None = None  # for a sync handler that returns an awaitable


class Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """What Lambda's handlers get as `context`."""

    function_name = ""
    function_version = "$LATEST"
    invoked_function_arn = ""
    memory_limit_in_mb = "128"
    log_group_name = ""
    log_stream_name = ""
    client_context = None
    identity = Identity()

    def __init__(self, invocation):
        self.aws_request_id = invocation.id
        self._deadline = invocation.deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def log(self, message) -> None:
        print(message)

    def __repr__(self) -> str:
        return f"Context(aws_request_id={self.aws_request_id!r}, function_name={self.function_name!r})"


def _configure(configuration: dict) -> None:
    name, version = configuration.get("function", ""), str(configuration.get("version", "$LATEST"))
    Context.function_name = name
    Context.function_version = version
    Context.invoked_function_arn = f"mayfly:{name}@{version}"
    Context.memory_limit_in_mb = str(configuration.get("memory", 128 << 20) >> 20)
    Context.log_group_name = f"/mayfly/{name}"
    Context.log_stream_name = version


def _event_of(invocation):
    if not invocation.is_event:
        return invocation.event()
    body = invocation.body()
    if not body:
        return {}
    try:
        return json.loads(body)
    except ValueError as error:
        raise ValueError(f"The payload is not JSON, as an event must be: {error}") from None


def concurrent(function) -> bool:
    return handlers.is_async(function)


def prepare(function, configuration: dict) -> None:
    """In the template: all that an instance need not do again."""
    global _hooks, _async
    _configure(configuration)
    _async = concurrent(function)
    if _async:
        _hooks = loop.hooks(_serve_async(function), _cancel, HOOKS)
    else:
        _hooks = {**NO_HOOKS, **HOOKS, "begin": _serve_sync(function)}


def serve() -> None:
    if _async:
        loop.open_loop()
        loop.run(_hooks, True)
    else:
        bridge.open_server(_hooks, True, False)
        bridge.run()


def shut_down() -> None:
    if _async:
        loop.close()


# --- One at a time


def _serve_sync(function):
    def begin(invocation) -> None:
        streams.running = invocation.stream
        try:
            result = function(_event_of(invocation), Context(invocation))
            if streams.stdout._partial or streams.stderr._partial:
                streams.flush()  # the answer frees the slot, and with it the name of the invocation
            rest = invocation.answer(result)
            if rest is not None:
                _go_on(invocation, rest)
        except BaseException as error:
            _end(invocation, error)
        streams.running = 0

    return begin


def _go_on(invocation, rest) -> None:
    if inspect.isawaitable(rest):
        rest = invocation.answer(_run(rest))
        if rest is None:
            return
    if hasattr(rest, "__anext__"):
        rest = _iterate(rest)
    for chunk in rest:
        invocation.write(chunk)
    invocation.end()
    invocation.finish()


def _run(awaitable):
    global _private_loop
    if _private_loop is None:
        _private_loop = asyncio.new_event_loop()
    return _private_loop.run_until_complete(awaitable)


def _iterate(rest):
    while True:
        try:
            yield _run(rest.__anext__())
        except StopAsyncIteration:
            return


def _end(invocation, error: BaseException) -> None:
    if isinstance(error, SystemExit):
        errors.exit_process(error)
    streams.flush()
    if invocation.aborted and isinstance(error, OSError):  # nobody reads what it writes
        invocation.finish()
        return
    invocation.fail(*errors.describe(error))


# --- Many at once


def _serve_async(function):
    event_of, set_current, flush_of = _event_of, streams.current.set, streams.flush_of
    generator = inspect.isasyncgenfunction(inspect.unwrap(function))

    async def serve(invocation) -> None:
        set_current(invocation.stream)
        try:
            result = function(event_of(invocation), Context(invocation))
            if not generator:
                result = await result
            flush_of(invocation.stream)
            rest = invocation.answer(result)
            if rest is not None:
                await _stream(invocation, rest)
        except BaseException as error:
            loop.end(invocation, error)

    return serve


async def _stream(invocation, rest) -> None:
    if hasattr(rest, "__anext__"):
        async for chunk in rest:
            await loop.write(invocation, chunk)
    else:
        for chunk in rest:
            await loop.write(invocation, chunk)
    invocation.end()
    invocation.finish()


def _cancel(invocation) -> None:
    if invocation.task is not None:
        invocation.task.cancel()
