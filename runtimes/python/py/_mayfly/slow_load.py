"""Code that takes too long to load: says where it is, shortly before the daemon ends it."""

import signal
import traceback
from contextlib import contextmanager

from . import bridge, errors, streams

_PATIENCE = 27.0  # seconds; the daemon's is 30
_SERVERS = {"serve_forever", "run_forever", "run_app", "run_simple", "mainloop"}
_HINT = ("\nA function is no server of its own: it is loaded, and called. Give Mayfly the application (app = …), and start a "
         "server only below if __name__ == \"__main__\".")


def _say_where(_, frame) -> None:
    stack = traceback.extract_stack(frame)
    is_server = any(each.name in _SERVERS or each.name == "run" and "/uvicorn/" in each.filename for each in stack)
    text = "The code has not finished loading yet. It is here (most recent call last):\n" + errors.places(stack)
    bridge.log(streams.ERROR, text.rstrip("\n") + (_HINT if is_server else ""), 0)


@contextmanager
def watched():
    """By a timer of the process: a thread would have to be ended before each fork. What waits for a system call is
    interrupted, and goes on."""
    before = signal.signal(signal.SIGALRM, _say_where)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGALRM) is _say_where:  # else the code has its own alarm
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
