"""The Lambda form: handler(event, context), sync (one at a time) or async (many at once). A generator gives the
answer's body in parts."""

import base64
import inspect
import json

from . import awaiting, bridge, calls, errors, events, handler as handlers, lambda_records, loop, streams
from .context import Context, configure

_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _claim_text(value) -> str:
    """As API Gateway gives a claim: a text, a list as "[a b]"."""
    if isinstance(value, list):
        return f"[{' '.join(map(_claim_text, value))}]"
    return value if isinstance(value, str) else _to_json(value)


def _authorizer(encoded: str) -> dict:
    """What the platform has verified of the caller's token."""
    token = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    scopes = []
    for value in (token.get("scope"), token.get("scp")):
        parts = value.split(" ") if isinstance(value, str) else value if isinstance(value, list) else []
        scopes += [part for part in parts if isinstance(part, str) and part]
    return {"jwt": {"claims": {name: _claim_text(value) for name, value in token.items()},
                    "scopes": list(dict.fromkeys(scopes)) or None}}


_STANDARD = str.maketrans("-_", "+/", " \t\r\n")


def _base64_decode(body: str) -> bytes:
    """Python passes over what is no Base64, and would give a part of the body, or nothing."""
    try:
        text = body.translate(_STANDARD).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise ValueError("the handler returned isBase64Encoded, but the body is not Base64") from error


HOOKS = {"to_json": _to_json, "base64_encode": lambda body: base64.b64encode(body).decode(),
          "base64_decode": _base64_decode, "authorizer": _authorizer, "on_call": calls.on_call}
NO_HOOKS = dict.fromkeys(("on_abort", "on_stop", "wake", "receive_later", "send_later"), lambda *_: None)
_hooks: dict = {}
_async = False


def _event_of(invocation):
    if not invocation.is_event:
        return invocation.event()
    body = invocation.body()
    if not body:
        return {}
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise ValueError(f"The payload is not JSON, as an event must be: {error}") from None
    return lambda_records.scheduled_event(payload, invocation.id) if invocation.event_kind == "schedule" else payload


def concurrent(function) -> bool:
    return handlers.is_async(function)


def prepare(function, configuration: dict) -> None:
    """In the template: all that an instance need not do again."""
    global _hooks, _async
    configure(configuration)
    _async = concurrent(function)
    if _async:
        _hooks = loop.hooks(_serve_async(function), cancel, HOOKS)
    else:
        _hooks = {**NO_HOOKS, **HOOKS, "begin": _serve_sync(function)}


def server() -> tuple | None:
    """What serves one invocation after another: its hooks, and whether it begins when a body is complete."""
    return None if _async else (_hooks, True)


def serve() -> None:
    if _async:
        loop.open_loop()
        loop.run(_hooks, True)
    else:
        bridge.open_server(*server(), False)
        bridge.run()


def shut_down() -> None:
    if _async:
        loop.close()


# --- One at a time


def _serve_sync(function):
    def begin(invocation) -> None:
        streams.running = invocation.stream
        try:
            if invocation.is_event and events.wants(invocation):
                events.serve(invocation, invocation.body(), function)
                streams.running = 0
                return
            result = function(_event_of(invocation), Context(invocation))
            if streams.stdout._partial or streams.stderr._partial:
                streams.flush()  # the answer frees the slot, and with it the name of the invocation
            if type(result) is calls.Response:
                _pass_on(invocation, result)
            elif (rest := invocation.answer(result)) is not None:
                _go_on(invocation, rest)
        except BaseException as error:
            end(invocation, error)
        streams.running = 0

    return begin


def _go_on(invocation, rest) -> None:
    if inspect.isawaitable(rest):
        rest = invocation.answer(awaiting.run(rest))
        if rest is None:
            return
    if hasattr(rest, "__anext__"):
        rest = awaiting.iterate(rest)
    try:
        for chunk in rest:
            invocation.write(chunk)
    finally:  # the client may have left in the middle: what is behind the next yield is done now
        close = getattr(rest, "close", None)
        if close is not None:
            close()
    invocation.end()
    invocation.finish()


def _pass_on(invocation, response) -> None:
    """What another function answered."""
    invocation.start(response.status, response.header_list)
    for chunk in response if response._read is None else [response._read]:
        invocation.write(chunk)
    invocation.end()
    invocation.finish()


def end(invocation, error: BaseException) -> None:
    if isinstance(error, SystemExit):
        errors.exit_process(error)
    streams.flush()
    if invocation.aborted and isinstance(error, OSError):  # nobody reads what it writes
        invocation.finish()
        return
    if isinstance(error, TypeError) and str(error) == "'Context' object is not callable":
        error.add_note("It was called as handler(event, context). A WSGI application is known by its parameters: call them "
                       "environ and start_response.")
    errors.fail(invocation, error)


# --- Many at once


def _serve_async(function):
    event_of, set_current, flush_of = _event_of, streams.current.set, streams.flush_of
    generator = inspect.isasyncgenfunction(inspect.unwrap(function))

    async def serve(invocation) -> None:
        set_current(invocation.stream)
        try:
            if invocation.is_event and events.wants(invocation):
                await events.serve_async(invocation, invocation.body(), function)
                return
            result = function(event_of(invocation), Context(invocation))
            if not generator:
                result = await result
            flush_of(invocation.stream)
            if type(result) is calls.Response:
                invocation.start(result.status, result.header_list)
                await _stream(invocation, result if result._read is None else [result._read])
            elif (rest := invocation.answer(result)) is not None:
                await _stream(invocation, rest)
        except BaseException as error:
            loop.end(invocation, error)

    return serve


async def _stream(invocation, rest) -> None:
    if hasattr(rest, "__aiter__"):
        async for chunk in rest:
            await loop.write(invocation, chunk)
    else:
        for chunk in rest:
            await loop.write(invocation, chunk)
    invocation.end()
    invocation.finish()


def cancel(invocation) -> None:
    if invocation.task is not None:
        invocation.task.cancel()
