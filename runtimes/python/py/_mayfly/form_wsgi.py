"""The WSGI form (PEP 3333): app(environ, start_response), one request at a time."""

import io
import sys
from wsgiref.util import FileWrapper

from . import bridge, errors, event_requests, form_lambda, streams

_NO_BODY = (204, 205, 304)
# Bytes of a body that are held where the client says no length. Applications that read as many as CONTENT_LENGTH says
# (Django, and all that keep to PEP 3333) would take it for empty.
_MOST_HELD = 32 << 20
_TOO_LONG = b"A body of more than 32 MiB must come with its Content-Length.\n"
_hooks: dict = {}


class _Input(io.RawIOBase):
    """A request's body that comes in parts; reading waits for the next one."""

    def __init__(self, invocation):
        self._invocation = invocation
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._rest:
            self._rest = self._invocation.read()
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class _Answer:
    """What start_response() and the application's iterable make."""

    def __init__(self, invocation):
        self._invocation = invocation
        self._status = 0
        self._headers: list | None = None
        self._bare = invocation.method == "HEAD"

    def start_response(self, status, headers, exc_info=None):
        if exc_info:
            try:
                if self._invocation.head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._headers is not None:
            raise AssertionError("start_response() was called twice without exc_info")
        if not isinstance(status, str) or not status[:3].isdigit():
            raise ValueError(f"start_response() got the status {status!r}, which must be like '200 OK'")
        self._status = int(status[:3])
        self._headers = list(headers)
        self._bare = self._invocation.method == "HEAD" or self._status in _NO_BODY
        return self.write

    def _start(self) -> None:
        if self._headers is None:
            raise AssertionError("the application wrote before it called start_response()")
        self._invocation.start(self._status, self._headers)

    def write(self, chunk) -> None:
        if not isinstance(chunk, bytes):
            raise TypeError(f"a WSGI body must consist of bytes (got {type(chunk).__name__})")
        if not self._invocation.head_sent:
            self._start()
        if chunk and not self._bare:
            self._invocation.write(chunk)

    def send(self, result) -> None:
        if type(result) in (list, tuple) and len(result) == 1 and not self._invocation.head_sent:
            if self._headers is not None and isinstance(result[0], bytes):
                streams.flush()
                self._invocation.respond(self._status, self._headers, result[0])
                return
        for chunk in result:
            if chunk:  # the head waits for the first part of the body
                self.write(chunk)
            if not chunk or self._bare:
                self._invocation.write(b"")  # raises when the client has left
        if not self._invocation.head_sent:
            self._start()
        self._invocation.end()


def concurrent(app) -> bool:
    return False


def prepare(app, configuration: dict) -> None:
    """In the template: all that an instance need not do again."""
    global _hooks
    base = {
        "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.errors": sys.stderr,
        "wsgi.multithread": False, "wsgi.multiprocess": True, "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper, "wsgi.input_terminated": True,
    }

    def begin(invocation) -> None:
        streams.running = invocation.stream
        try:
            if invocation.event_kind is not None:
                event_requests.serve_wsgi(invocation, lambda request: _serve_one(app, request, base))
            else:
                _serve_one(app, invocation, base)
        except SystemExit as error:
            errors.exit_process(error)
        except BaseException as error:
            _fail(invocation, error)
        streams.running = 0

    _hooks = {**form_lambda.NO_HOOKS, **form_lambda.HOOKS, "begin": begin}


def server() -> tuple:
    return _hooks, False


def serve() -> None:
    bridge.open_server(*server(), False)
    bridge.run()


def shut_down() -> None:
    pass


def _serve_one(app, invocation, base: dict) -> None:
    environ = invocation.environ(base)
    if invocation.more:
        if "CONTENT_LENGTH" not in environ:
            length = invocation.hold(_MOST_HELD)
            if length is None:
                invocation.respond(411, [("content-type", "text/plain; charset=utf-8")], _TOO_LONG)
                return
            environ["CONTENT_LENGTH"] = str(length)
        environ["wsgi.input"] = io.BufferedReader(_Input(invocation), 65536)
    else:
        body = invocation.body()
        if body:
            environ.setdefault("CONTENT_LENGTH", str(len(body)))
        environ["wsgi.input"] = io.BytesIO(body)
    answer = _Answer(invocation)
    result = app(environ, answer.start_response)
    try:
        answer.send(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    streams.flush()
    invocation.finish()


def _fail(invocation, error: BaseException) -> None:
    streams.flush()
    if invocation.aborted and isinstance(error, OSError):
        invocation.finish()
        return
    if invocation.complete:
        streams.log_error(error, "After the answer: ")
    errors.fail(invocation, error)
