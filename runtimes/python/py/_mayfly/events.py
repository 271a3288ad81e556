"""How events come to a function: what a queue or a schedule delivers (docs/wire.md). Its queue() or scheduled() takes
them if it has one, else its handler: one of the Lambda form as events that it knows, an application as requests
(event_requests.py)."""

import asyncio
import collections
import inspect
import json
from dataclasses import dataclass

from . import awaiting, handler as handlers, lambda_records, queue_batch, streams
from .context import Context

_JSON = [("content-type", "application/json")]
_PROBLEM = [("content-type", "application/problem+json")]


@dataclass
class Handlers:
    """The function's own handlers of events."""

    queue: object = None
    scheduled: object = None

    def of(self, kind: str):
        return self.queue if kind == "queue" else self.scheduled

    @property
    def concurrent(self) -> bool:
        return any(each is not None and handlers.is_async(each) for each in (self.queue, self.scheduled))


_own = Handlers()


def use(own: Handlers) -> None:
    global _own
    _own = own


# --- What is to be called, and what becomes of it


class _Queue:
    """queue(batch, context)"""

    def __init__(self, invocation, delivered: dict):
        self.function = _own.queue
        self._batch = queue_batch.Batch(delivered)
        self.arguments = (self._batch, Context(invocation))

    def answer(self, result) -> dict:
        return queue_batch.decisions_of(self._batch).answer(False)

    def failed(self, error: Exception) -> dict:
        decisions = queue_batch.decisions_of(self._batch)
        if decisions.none:
            raise error
        streams.log_error(error)
        return decisions.answer(True)


class _Scheduled:
    """scheduled(event, context)"""

    def __init__(self, invocation, delivered: dict):
        self.function = _own.scheduled
        self._event = queue_batch.ScheduledEvent(delivered)
        self._invocation = invocation
        self.arguments = (self._event, Context(invocation))

    def answer(self, result):
        return result

    def failed(self, error: Exception) -> None:
        if queue_batch.retries(self._event):
            raise error
        streams.log_error(error)
        body = {"type": "urn:mayfly:pool:handler-threw", "title": "The function failed", "status": 500,
                "detail": f"{type(error).__name__}: {error}", "invocation": self._invocation.id}
        streams.flush_of(self._invocation.stream)
        self._invocation.respond(500, [*_PROBLEM, ("mayfly-retry", "never")], json.dumps(body))


class _Records:
    """handler(event, context) of the Lambda form, with a batch"""

    def __init__(self, invocation, delivered: dict, function):
        self.function = function
        self._delivered = delivered
        self.arguments = (lambda_records.records(delivered), Context(invocation))

    def answer(self, result) -> dict:
        return lambda_records.batch_answer(result, self._delivered)

    def failed(self, error: Exception) -> None:
        raise error


def has(kind: str) -> bool:
    """The function has a handler of its own for these."""
    return _own.of(kind) is not None


def wants(invocation) -> bool:
    """Of a function of the Lambda form: this is not simply its handler's event."""
    kind = invocation.event_kind
    return kind == "queue" or kind == "schedule" and has(kind)


def _work(invocation, body: bytes, function):
    kind = invocation.event_kind
    delivered = json.loads(body)
    if has(kind):
        return (_Queue if kind == "queue" else _Scheduled)(invocation, delivered)
    if function is not None and kind == "queue":
        return _Records(invocation, delivered, function)
    wanted = "queue(batch, context)" if kind == "queue" else "scheduled(event, context)"
    raise TypeError(f"the function has no {wanted} that could take this")


def _respond(invocation, value) -> None:
    if not invocation.complete:
        invocation.respond(200, _JSON, json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


# --- Calling it


def serve(invocation, body: bytes, function=None) -> None:
    """One at a time. function: the handler, if it is of the Lambda form. Raises what fails the delivery."""
    work = _work(invocation, body, function)
    try:
        value = work.answer(_finished(work.function(*work.arguments)))
    except Exception as error:
        value = work.failed(error)
    streams.flush()
    _respond(invocation, value)


def _finished(result):
    """What a handler returned, awaited; of what it yields nothing is wanted."""
    if inspect.isawaitable(result):
        result = awaiting.run(result)
    if hasattr(result, "__anext__"):
        result = awaiting.iterate(result)
    return _exhausted(result)


def _exhausted(result):
    if not hasattr(result, "__next__"):
        return result
    collections.deque(result, maxlen=0)
    return None


def _in_thread(work):
    return _exhausted(work.function(*work.arguments))


async def serve_async(invocation, body: bytes, function=None) -> None:
    """Many at once. A handler that is not async runs in a thread."""
    work = _work(invocation, body, function)
    try:
        value = work.answer(await _finish(work))
    except Exception as error:
        value = work.failed(error)
    streams.flush_of(invocation.stream)
    _respond(invocation, value)


async def _finish(work):
    if handlers.is_async(work.function):
        result = work.function(*work.arguments)
    else:
        result = await asyncio.to_thread(_in_thread, work)
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__anext__"):
        async for _ in result:
            pass
        return None
    return result


def refuse(invocation) -> None:
    """A request, to a function that takes events only."""
    names = " and ".join(f"{name}()" for name in ("queue", "scheduled") if getattr(_own, name) is not None)
    body = {"type": "urn:mayfly:function:events-only", "title": "This function takes events only", "status": 404,
            "detail": f"It has {names}, and no handler of requests.", "invocation": invocation.id}
    invocation.respond(404, _PROBLEM, json.dumps(body))
