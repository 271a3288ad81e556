"""Many invocations at once on asyncio. The event loop is the stock one; its selector asks the bridge, which
serves the daemon's frames by itself and comes back only when asyncio has something to do. An invocation's task
makes its first step at once, without a turn of the loop: most need no second."""

import asyncio
import select
import selectors
import sys

from . import bridge, errors, streams

_poll = bridge.poll
_IN, _OUT = 1, 4  # EPOLLIN, EPOLLOUT


class _Selector(selectors.EpollSelector):
    loop = None
    stale = True  # this process has no epoll of its own yet

    def renew(self) -> None:
        """In a new process: an epoll of its own, with what was registered."""
        self.stale = False
        self._selector.close()
        self._selector = select.epoll()
        for key in self.get_map().values():
            events = (_IN if key.events & selectors.EVENT_READ else 0) | (_OUT if key.events & selectors.EVENT_WRITE else 0)
            self._selector.register(key.fd, events)
        bridge.open_selector(self.fileno())

    def register(self, *arguments):
        if self.stale:
            self.renew()
        return super().register(*arguments)

    def select(self, timeout=None):
        if self.stale:
            self.renew()
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


class _Loop(asyncio.SelectorEventLoop):
    """The stock one. Other threads wake it through the bridge; a pair of sockets is made only for signals."""

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None
        self._internal_fds += 1

    def _close_self_pipe(self) -> None:
        if self._csock is not None:
            super()._close_self_pipe()

    def _write_to_self(self) -> None:
        bridge.wake()

    def add_signal_handler(self, *arguments):
        if self._csock is None:
            self._internal_fds -= 1
            super()._make_self_pipe()
        return super().add_signal_handler(*arguments)


_selector = _Selector()
_loop = _selector.loop = _Loop(_selector)


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
        errors.fail(invocation, error)


def after_fork() -> None:
    """The loop was made before any fork: this process makes what it cannot share when it first uses it. Code that
    asks asyncio for a loop while none runs gets it too."""
    _selector.stale = True


def open_loop() -> asyncio.AbstractEventLoop:
    """The event loop, to be run."""
    if _selector.stale:  # now: later it would forget what it serves
        _selector.renew()
    asyncio.set_event_loop(_loop)
    return _loop


def hooks(serve, on_abort, more: dict) -> dict:
    """For run(). serve(invocation) is a coroutine function that never raises."""
    return {"begin": _eager_spawn(serve, _loop), "on_abort": on_abort, "on_stop": _loop.stop, "wake": _wake,
            "receive_later": _receive_later, "send_later": _send_later, **more}


def run(hooks: dict, whole_body: bool) -> None:
    """Serve until the daemon says stop."""
    bridge.open_server(hooks, whole_body, True)
    _loop.run_forever()


def close() -> None:
    """After run(): what is still running is cancelled."""
    tasks = asyncio.all_tasks(_loop)
    for task in tasks:
        task.cancel()
    if tasks:
        _loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    _loop.run_until_complete(_loop.shutdown_asyncgens())
