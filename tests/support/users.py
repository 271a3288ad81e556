"""Whose a daemon is: root's, or an ordinary user's, which has fewer means of its own."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from .daemon import Daemon

ORDINARY_USER = 61_234
USERS = ["root", "ordinary user"]


@contextlib.contextmanager
def daemon_of(whose: str):
    """A daemon of one of USERS that is not started yet, in a home of its own, which goes with it.

    Not below pytest's own folder: whoever starts another pytest closes that one for other users.
    """
    user = ORDINARY_USER if whose == "ordinary user" else None
    if user is not None and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    home = Path(tempfile.mkdtemp(prefix="mayfly-home-"))
    home.chmod(0o755)
    if user is not None:
        os.chown(home, user, user)
    try:
        yield Daemon(home / "data", user=user)
    finally:
        shutil.rmtree(home)
