"""What the code prints, logs and warns becomes log entries, each with its invocation."""

import contextvars
import faulthandler
import io
import logging
import sys
import threading
import traceback
import warnings

from . import bridge

DEBUG, INFO, WARN, ERROR = 1, 2, 3, 4
_MOST_PARTIAL = 64 * 1024  # characters of a line that waits for its end

#: The stream of the invocation that the running task, or a thread it started with its context, belongs to.
current: contextvars.ContextVar[int] = contextvars.ContextVar("mayfly_invocation", default=0)
#: The same where invocations run one at a time.
running = 0

_local = threading.local()  # level: of the log record that is being written by this thread


def _stream() -> int:
    return running or current.get()


class _Bytes(io.RawIOBase):
    """sys.stdout.buffer: bytes become text, whatever they are."""

    def __init__(self, owner: "LogStream"):
        self._owner = owner

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._owner.fileno()

    def write(self, data) -> int:
        data = bytes(data)
        self._owner.write(data.decode("utf-8", "replace"))
        return len(data)


class LogStream(io.TextIOBase):
    """One write is one entry, however many lines it has; what follows the last line end waits for its own."""

    encoding = "utf-8"
    errors = "replace"
    line_buffering = True
    mode = "w"

    def __init__(self, descriptor: int, name: str, level: int):
        self._descriptor = descriptor
        self.name = name
        self._level = level
        self._partial: dict[int, str] = {}  # of each invocation
        self.buffer = _Bytes(self)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def reconfigure(self, **_) -> None:
        pass

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        stream = _stream()
        whole = self._partial.pop(stream, "") + text
        end = whole.rfind("\n")
        if end >= 0:
            self._log(whole[:end], stream)
            whole = whole[end + 1:]
        if len(whole) > _MOST_PARTIAL:
            self._log(whole, stream)
        elif whole:
            self._partial[stream] = whole
        return len(text)

    def _log(self, text: str, stream: int) -> None:
        bridge.log(getattr(_local, "level", None) or self._level, text, stream)

    def flush_lines(self) -> None:
        """Entries that were begun and not ended."""
        for stream in list(self._partial):
            self._log(self._partial.pop(stream, ""), stream)

    def flush_line(self, stream: int) -> None:
        if self._partial and stream in self._partial:
            self._log(self._partial.pop(stream), stream)

    def close(self) -> None:  # the standard streams cannot be closed
        pass


stdout = LogStream(1, "<stdout>", INFO)
stderr = LogStream(2, "<stderr>", ERROR)


def flush() -> None:
    stdout.flush_lines()
    stderr.flush_lines()


def forget() -> None:
    """In a fork: what was begun is the parent's to end."""
    stdout._partial.clear()
    stderr._partial.clear()


def flush_of(stream: int) -> None:
    if stdout._partial:
        stdout.flush_line(stream)
    if stderr._partial:
        stderr.flush_line(stream)


def log_error(error: BaseException, before: str = "") -> None:
    from . import errors
    bridge.log(ERROR, before + errors.describe(error)[1], _stream())


def _level_of(number: int) -> int:
    if number >= logging.ERROR:
        return ERROR
    if number >= logging.WARNING:
        return WARN
    return INFO if number >= logging.INFO else DEBUG


def _with_level(handle):
    def handle_with_level(self, record):
        _local.level = _level_of(record.levelno)
        try:
            return handle(self, record)
        finally:
            _local.level = None

    return handle_with_level


def _print_whole(self, *, file=None, chain=True, **more) -> None:
    (sys.stderr if file is None else file).write("".join(self.format(chain=chain, **more)))


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    text = warnings.formatwarning(message, category, filename, lineno, line)
    if file is None:
        bridge.log(WARN, text.rstrip("\n"), _stream())
    else:
        file.write(text)


def install() -> None:
    """Before any user code."""
    faulthandler.enable(file=2, all_threads=False)  # where a signal has ended the code, before its process ends
    sys.stdout = sys.__stdout__ = stdout
    sys.stderr = sys.__stderr__ = stderr
    # Whatever handler the code configures: what it writes to the standard streams has its record's level.
    logging.Handler.handle = _with_level(logging.Handler.handle)
    # What takes records where the code has configured no handler. It drops what is less than a warning, which is for the
    # loggers' own levels to say: logging.getLogger().setLevel("INFO") is all that code for AWS's root handler does.
    logging.lastResort.setLevel(logging.NOTSET)
    traceback.TracebackException.print = _print_whole  # a traceback stays together
    warnings.showwarning = _show_warning
    sys.excepthook = lambda kind, error, trace: log_error(error)
    sys.unraisablehook = lambda it: log_error(it.exc_value, f"{it.err_msg or 'Exception ignored in'}: {it.object!r}\n")
    threading.excepthook = _on_thread_error


def _on_thread_error(arguments) -> None:
    if arguments.exc_type is not SystemExit:
        name = arguments.thread.name if arguments.thread else "?"
        log_error(arguments.exc_value, f"Exception in thread {name}:\n")
