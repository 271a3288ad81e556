"""The ASGI form (version 3): app(scope, receive, send), with lifespan. `receive` and `send` are C++ (asgi.cpp).
https://asgi.readthedocs.io/en/latest/specs/"""

import asyncio

from . import form_lambda, loop, streams

_VERSION = {"version": "3.0", "spec_version": "2.4"}
_lifespan: "Lifespan | None" = None


class StartupFailed(Exception):
    """The application answered lifespan.startup with a failure."""


class Lifespan:
    """One task for the application's whole life, as the protocol has it."""

    def __init__(self, app):
        self.state: dict = {}
        self.supported = True
        self._app = app
        self._incoming: asyncio.Queue = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: str | None = None
        self._error: BaseException | None = None

    async def start_up(self) -> None:
        self._incoming.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._started.wait()
        if self._failure is not None:
            raise StartupFailed(self._failure or "the application's startup failed") from self._error

    async def shut_down(self) -> None:
        if not self.supported or self._task.done():
            return
        self._incoming.put_nowait({"type": "lifespan.shutdown"})
        await self._stopped.wait()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._incoming.get, self._send)
        except BaseException as error:
            # Without lifespan an application raises, and that is fine; but not after it said that it failed.
            self.supported = False
            self._error = error
            if self._started.is_set() and not self._stopped.is_set() and not isinstance(error, asyncio.CancelledError):
                streams.log_error(error, "lifespan: ")
        finally:
            self._started.set()
            self._stopped.set()

    async def _send(self, message: dict) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._started.set()
        elif kind == "lifespan.startup.failed":
            self._failure = message.get("message", "")
        elif kind == "lifespan.shutdown.complete":
            self._stopped.set()
        elif kind == "lifespan.shutdown.failed":
            streams.bridge.log(streams.ERROR, f"lifespan.shutdown.failed: {message.get('message', '')}", 0)
            self._stopped.set()
        else:
            raise RuntimeError(f"the message type {kind!r} is not known here")


def concurrent(app) -> bool:
    return True


def serve(app, configuration: dict) -> None:
    global _lifespan
    event_loop = loop.make()
    _lifespan = Lifespan(app)
    event_loop.run_until_complete(_lifespan.start_up())
    base = {"type": "http", "asgi": _VERSION, "http_version": "1.1", "root_path": "", "extensions": {}}
    if _lifespan.supported:
        base["state"] = _lifespan.state
    loop.run(_serve(app, base), _on_abort, False, form_lambda._HOOKS)


def shut_down() -> None:
    loop._loop.run_until_complete(_lifespan.shut_down())
    loop.close()


def _serve(app, base: dict):
    set_current, flush_of = streams.current.set, streams.flush_of

    async def serve_one(invocation) -> None:
        set_current(invocation.stream)
        try:
            await app(invocation.scope(base), invocation.receive, invocation.send)
            if not invocation.complete and not invocation.aborted:
                raise RuntimeError("the application returned before its answer was complete")
        except BaseException as error:
            loop.end(invocation, error)
        else:
            flush_of(invocation.stream)
            invocation.finish()

    return serve_one


def _on_abort(invocation) -> None:
    """A client that leaves is told by http.disconnect; at the deadline the application is cancelled as well."""
    task = invocation.task
    if task is None:
        return
    if invocation.aborted == "deadline":
        task.cancel()
    else:
        left = invocation.deadline - loop._loop.time()
        loop._loop.call_later(max(left, 0.0), _cancel_late, invocation)


def _cancel_late(invocation) -> None:
    if not invocation.done and invocation.task is not None:
        invocation.task.cancel()
