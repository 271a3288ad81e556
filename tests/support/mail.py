"""A mail server that keeps what it gets, and can be told to refuse."""

import email
import email.policy
import threading
import time

from . import python_packages
from .daemon import free_port

python_packages.take("smtp")
from aiosmtpd.controller import Controller  # noqa: E402


class MailServer:
    def __init__(self):
        self.port = free_port()
        self.refuses = False
        self.letters = []
        self._changed = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self):
        self._controller.start()
        return self

    def __exit__(self, *_):
        self._controller.stop()

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return "451 come back later"
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        with self._changed:
            self.letters.append((envelope.rcpt_tos[0], letter["Subject"], letter.get_content().strip()))
            self._changed.notify_all()
        return "250 taken"

    def letter(self, number: int, timeout: float = 30):
        """(to, subject, text), once so many have come."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(self.letters) <= number:
                assert self._changed.wait(deadline - time.monotonic()), self.letters
            return self.letters[number]
