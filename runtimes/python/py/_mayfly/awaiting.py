"""For handlers that run one at a time and return something to be awaited: an event loop beside the bridge's."""

import asyncio

_loop: asyncio.AbstractEventLoop | None = None


def run(awaitable):
    global _loop
    if _loop is None:
        _loop = asyncio.new_event_loop()
    return _loop.run_until_complete(awaitable)


def iterate(rest):
    """What an async iterator gives. Closing this closes it."""
    try:
        while True:
            try:
                chunk = run(rest.__anext__())
            except StopAsyncIteration:
                return
            yield chunk
    finally:
        if hasattr(rest, "aclose"):
            run(rest.aclose())
