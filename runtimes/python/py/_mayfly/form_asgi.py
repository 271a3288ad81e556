"""The ASGI form (version 3): app(scope, receive, send), with lifespan. `receive` and `send` are C++ (asgi.cpp).
https://asgi.readthedocs.io/en/latest/specs/"""

import asyncio

from . import event_requests, form_lambda, loop, streams

_VERSION = {"version": "3.0", "spec_version": "2.4"}
_lifespan: "Lifespan | None" = None
_base: dict = {}
_hooks: dict = {}


class StartupFailed(Exception):
    """The application answered lifespan.startup with a failure."""


class Lifespan:
    """One task for the application's whole life, as the protocol has it."""

    def __init__(self, app):
        self.state: dict = {}
        self.supported = True
        self._app = app
        self._asked = 0  # times that the application has called receive()
        self._failure: str | None = None
        self._error: BaseException | None = None

    def start_up(self, event_loop) -> None:
        self._started, self._stop, self._stopped = (event_loop.create_future() for _ in range(3))
        self._task = event_loop.create_task(self._run())
        event_loop.run_until_complete(self._started)
        if self._failure is not None:
            raise StartupFailed(self._failure or "the application's startup failed") from self._error

    def shut_down(self, event_loop) -> None:
        if not self.supported or self._task.done():
            return
        _resolve(self._stop)
        event_loop.run_until_complete(self._stopped)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
        except BaseException as error:
            # Without lifespan an application raises, and that is fine. One that has asked for the first message has it, and is
            # served all the same, as the protocol wants, but not without a word.
            self._error = error
            if not self._stopped.done() and not isinstance(error, asyncio.CancelledError):
                if self._started.done():
                    streams.log_error(error, "lifespan: ")
                elif self._asked:
                    streams.log_error(error, "The startup (lifespan) failed, and requests are served all the same: ")
            self.supported = False
        finally:
            _resolve(self._started)
            _resolve(self._stopped)

    async def _receive(self) -> dict:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        await asyncio.shield(self._stop)
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: dict) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            _resolve(self._started)
        elif kind == "lifespan.startup.failed":
            self._failure = message.get("message", "")
            _resolve(self._started)
        elif kind == "lifespan.shutdown.complete":
            _resolve(self._stopped)
        elif kind == "lifespan.shutdown.failed":
            streams.bridge.log(streams.ERROR, f"lifespan.shutdown.failed: {message.get('message', '')}", 0)
            _resolve(self._stopped)
        else:
            raise RuntimeError(f"the message type {kind!r} is not known here")


def _resolve(future) -> None:
    if not future.done():
        future.set_result(None)


def concurrent(app) -> bool:
    return True


def prepare(app, configuration: dict) -> None:
    """In the template: all that an instance need not do again."""
    global _lifespan, _base, _hooks
    _lifespan = Lifespan(app)
    _base = {"type": "http", "asgi": _VERSION, "http_version": "1.1", "root_path": "", "extensions": {}}
    _hooks = loop.hooks(_serve(app, _base), _on_abort, form_lambda.HOOKS)


def server() -> None:
    return None


def serve() -> None:
    _lifespan.start_up(loop.open_loop())
    if _lifespan.supported:
        _base["state"] = _lifespan.state
    loop.run(_hooks, False)


def shut_down() -> None:
    _lifespan.shut_down(loop._loop)
    loop.close()


def _serve(app, base: dict):
    set_current, flush_of = streams.current.set, streams.flush_of

    async def serve_one(invocation) -> None:
        set_current(invocation.stream)
        try:
            if invocation.event_kind is not None:
                await event_requests.serve_asgi(invocation, app, base)
            else:
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
    """A client that leaves is told by http.disconnect; at the deadline, and of an event, the application is cancelled."""
    task = invocation.task
    if task is None:
        return
    if invocation.aborted == "deadline" or invocation.event_kind is not None:
        task.cancel()
    else:
        left = invocation.deadline - loop._loop.time()
        loop._loop.call_later(max(left, 0.0), _cancel_late, invocation)


def _cancel_late(invocation) -> None:
    if not invocation.done and invocation.task is not None:
        invocation.task.cancel()
