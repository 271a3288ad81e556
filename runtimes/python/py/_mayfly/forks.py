"""What Python's own modules do in every fork, and what is left of it where an instance is forked.

Their hooks make locks anew that another thread might have held. A template has no other thread and holds no lock, so
its forks are sound without; but each hook that runs costs the fork pages of its own, and all of them together nearly
half of its start. Forks that a function makes have all of them, and an instance has those that a function has
registered."""

import gc
import os
import random
import sys
import threading

from . import bridge, loop

_needed: list = []  # what each instance calls for them
_LEFT_OUT = ("threading", "logging", "random", "_mayfly.streams", "_mayfly.loop")


def _list_with(**marker) -> list | None:
    """The list in which CPython keeps its hooks of a kind. None: it keeps them otherwise, and they stay as they are."""
    os.register_at_fork(**marker)
    hook, = marker.values()
    for found in gc.get_referrers(hook):
        if type(found) is list and found and found[-1] is hook:
            del found[-1]
            return found
    return None


def _take_known(hooks: list, instead) -> tuple:
    """Takes the hooks of known modules out of a list; `instead` stands for them."""
    known = tuple(hook for hook in hooks if getattr(hook, "__module__", None) in _LEFT_OUT)
    hooks[:] = [instead] + [hook for hook in hooks if hook not in known]
    return known


def prepare() -> None:
    """In the process that is forked: what the hooks that are left out would set in each of its forks."""
    loop.after_fork()
    random._inst.gauss_next = None  # the other half of a pair that was drawn
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:  # it does not see to it by itself, as `random` does
        _needed.append(numpy_random.seed)


def make_lean() -> None:
    """Before the first fork, when all that this runtime needs is loaded."""
    before, in_child = _list_with(before=lambda: None), _list_with(after_in_child=lambda: None)
    if before is None or in_child is None:
        bridge.keep_hooks((), (), _needed, {})
        os.register_at_fork(after_in_child=bridge.after_fork)
        return
    _needed[:] = [super(random.Random, random._inst).seed]
    bridge.keep_hooks(_take_known(before, bridge.before_fork), _take_known(in_child, bridge.after_fork), _needed,
                      vars(threading.main_thread()))
