"""Many invocations at once on asyncio. The event loop is the stock one; its selector asks the bridge, which
serves the daemon's frames by itself and comes back only when asyncio has something to do. An invocation's task
makes its first step at once, without a turn of the loop: most need no second."""

import asyncio
import selectors
import sys

from . import bridge, errors, streams

_loop: asyncio.AbstractEventLoop | None = None
_poll = bridge.poll


class _Selector(selectors.EpollSelector):
    serving = False
    loop: asyncio.AbstractEventLoop | None = None

    def select(self, timeout=None):
        if not self.serving:
            return super().select(timeout)
        loop = self.loop
        found = _poll(self.fileno(), -1.0 if timeout is None else max(timeout, 0.0), loop._ready, loop._scheduled)
        return self._keys(found) if found else found

    def _keys(self, found):
        result = []
        known = self.get_map()
        for descriptor, events in found:
            try:
                key = known[descriptor]
            except KeyError:
                continue
            mask = selectors.EVENT_WRITE if events & ~_IN else 0
            if events & ~_OUT:
                mask |= selectors.EVENT_READ
            if mask & key.events:
                result.append((key, mask & key.events))
        return result


_IN, _OUT = 1, 4  # EPOLLIN, EPOLLOUT
_selector: _Selector | None = None


def _eager_spawn(serve, loop):
    if sys.version_info >= (3, 12):
        def spawn(invocation):
            task = asyncio.Task(serve(invocation), loop=loop, eager_start=True)
            if not task.done():
                invocation.task = task
    else:
        ready = loop._ready

        def spawn(invocation):
            task = asyncio.Task(serve(invocation), loop=loop)
            ready.pop()._run()  # its first step, which it has just queued
            if not task.done():
                invocation.task = task

    return spawn


def _wake(futures) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


async def changed(invocation) -> None:
    """Until something of this invocation has changed: body, room, abort."""
    future = _loop.create_future()
    invocation.wait(future)
    await future


async def _send_later(invocation) -> None:
    while invocation.full:
        await changed(invocation)
    if invocation.aborted:
        raise OSError("the client has left")


async def _receive_later(invocation) -> dict:
    while (message := invocation.take()) is None:
        await changed(invocation)
    return message


async def write(invocation, chunk) -> None:
    invocation.write(chunk)
    if invocation.full:
        await _send_later(invocation)


def end(invocation, error: BaseException) -> None:
    """A handler ended with an exception."""
    streams.flush_of(invocation.stream)
    if isinstance(error, SystemExit):
        errors.exit_process(error)
    elif invocation.aborted:
        if not isinstance(error, (asyncio.CancelledError, OSError)):
            streams.log_error(error, f"After the {'deadline' if invocation.aborted == 'deadline' else 'client had left'}: ")
        invocation.finish()
    elif invocation.complete:  # what goes on after the answer
        streams.log_error(error, "After the answer: ")
        invocation.finish()
    else:
        invocation.fail(*errors.describe(error))


def make() -> asyncio.AbstractEventLoop:
    global _loop, _selector
    _selector = _Selector()
    _loop = _selector.loop = asyncio.SelectorEventLoop(_selector)
    asyncio.set_event_loop(_loop)
    return _loop


def run(serve, on_abort, whole_body: bool, form_hooks: dict) -> None:
    """Serve until the daemon says stop. serve(invocation) is a coroutine function that never raises."""
    loop = _loop

    def on_stop():
        loop.stop()
        loop.call_soon(lambda: None)  # so that the selector returns

    hooks = {"begin": _eager_spawn(serve, loop), "on_abort": on_abort, "on_stop": on_stop, "wake": _wake,
             "receive_later": _receive_later, "send_later": _send_later, **form_hooks}
    bridge.open_server(hooks, whole_body, True)
    _selector.serving = True
    try:
        loop.run_forever()
    finally:
        _selector.serving = False


def close() -> None:
    """After run(): what is still running is cancelled."""
    tasks = asyncio.all_tasks(_loop)
    for task in tasks:
        task.cancel()
    if tasks:
        _loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    _loop.run_until_complete(_loop.shutdown_asyncgens())
