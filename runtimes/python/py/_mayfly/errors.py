"""Errors as people should see them: tracebacks without the frames of this runtime, paths from the function's
folder, and the place in the user's own code."""

import json
import os
import traceback

from . import bridge

_own_folder = os.path.dirname(os.path.abspath(__file__)) + os.sep
_root = ""
_PROBLEM = [("content-type", "application/problem+json"), ("cache-control", "no-store")]


def set_root(folder: str) -> None:
    """Files are told relative to this folder from now on."""
    global _root
    _root = folder.rstrip("/") + "/"


def relative(file: str) -> str:
    return file[len(_root):] if _root and file.startswith(_root) else file


def _without_root(text: str) -> str:
    return text.replace(_root, "") if _root else text


def _is_internal(file: str) -> bool:
    return file.startswith(_own_folder) or file.startswith("<frozen importlib") or os.sep + "importlib" + os.sep in file


def _without_internal(stack: traceback.StackSummary) -> traceback.StackSummary:
    return traceback.StackSummary.from_list([frame for frame in stack if not _is_internal(frame.filename)])


def _clean(error: traceback.TracebackException, seen: set[int]) -> None:
    if id(error) in seen:
        return
    seen.add(id(error))
    error.stack = _without_internal(error.stack)
    for inner in (error.__cause__, error.__context__, *(getattr(error, "exceptions", None) or ())):
        if inner is not None:
            _clean(inner, seen)


def places(stack: traceback.StackSummary) -> str:
    """Of the frames that are not this runtime's."""
    text = "".join(_without_internal(stack).format())
    return _without_root(text)


def stack_of(error: BaseException) -> str:
    try:
        trace = traceback.TracebackException.from_exception(error)
        _clean(trace, set())
        text = "".join(trace.format()).rstrip("\n")
    except Exception:  # an error that cannot even be told
        text = message_of(error)
    return _without_root(text)


def message_of(error: BaseException) -> str:
    """"ValueError: what"."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        return name
    if isinstance(error, SyntaxError):
        text = error.msg or text
    text = _without_root(text)
    return f"{name}: {text}" if text else name


def describe(error: BaseException) -> tuple[str, str]:
    return message_of(error), stack_of(error)


def fail(invocation, error: BaseException) -> None:
    """The handler failed. If what failed is what a decorator is around, the answer is why that has none."""
    from . import calls, streams
    problem = error._problem(invocation.id) if isinstance(error, calls.CallError) else None
    if problem is None or invocation.head_sent:
        invocation.fail(*describe(error))
        return
    streams.log_error(error, "next failed, and this was not caught: ")
    body = b"" if invocation.method == "HEAD" else json.dumps(problem)
    invocation.respond(problem["status"], _PROBLEM, body)


def place_of(error: BaseException, outside: tuple[str, ...] = ()) -> tuple[str | None, int | None]:
    """File and line in the user's own code where the error came from; None when that cannot be told.
    `outside`: folders of packages below the root."""
    if isinstance(error, SyntaxError) and error.filename and os.path.exists(error.filename):
        return relative(error.filename), error.lineno
    place = (None, None)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if _root and file.startswith(_root) and not file.startswith(outside):
            place = (relative(file), trace.tb_lineno)
        trace = trace.tb_next
    return place


def exit_process(error: SystemExit) -> None:
    """sys.exit() in a handler ends the instance, with its status."""
    from . import streams
    streams.flush()
    code = error.code
    if code is None:
        code = 0
    elif not isinstance(code, int):
        streams.log_error(error)
        code = 1
    bridge.fatal("exit", str(code & 0xFF), stack_of(error))
