"""The form of a function that has queue() or scheduled(), and no handler of requests."""

from . import bridge, events, form_lambda, loop, streams
from .context import configure

_hooks: dict = {}
_async = False


def concurrent(own: events.Handlers) -> bool:
    return own.concurrent


def prepare(own: events.Handlers, configuration: dict) -> None:
    """In the template: all that an instance need not do again."""
    global _hooks, _async
    configure(configuration)
    _async = concurrent(own)
    if _async:
        _hooks = loop.hooks(_serve_async, form_lambda.cancel, form_lambda.HOOKS)
    else:
        _hooks = {**form_lambda.NO_HOOKS, **form_lambda.HOOKS, "begin": _begin}


def server() -> tuple | None:
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


def _begin(invocation) -> None:
    streams.running = invocation.stream
    try:
        if invocation.event_kind is None:
            events.refuse(invocation)
        else:
            events.serve(invocation, invocation.body())
    except BaseException as error:
        form_lambda.end(invocation, error)
    streams.running = 0


async def _serve_async(invocation) -> None:
    streams.current.set(invocation.stream)
    try:
        if invocation.event_kind is None:
            events.refuse(invocation)
        else:
            await events.serve_async(invocation, invocation.body())
    except BaseException as error:
        loop.end(invocation, error)
