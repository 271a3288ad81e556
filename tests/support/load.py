"""Load with a book-keeping of every single request."""

import http.client
import threading
import time
from collections import Counter

from . import http as mayfly_http


class Load:
    """Threads that send one request after the other until told to stop.

    `outcomes` counts answers by what `classify` makes of them (default: status and body); a request
    that got no whole answer counts as ("broken", name of the error).
    """

    def __init__(self, url: str, threads: int = 4, classify=None, timeout: float = 30.0, headers=None):
        self.url = url
        self.timeout = timeout
        self.headers = headers or {}
        self.classify = classify or (lambda answer: (answer.status, answer.text))
        self.outcomes: Counter = Counter()
        self.slowest = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> Counter:
        self._stop.set()
        for thread in self._threads:
            thread.join(self.timeout + 10)
            assert not thread.is_alive(), "a request hangs"
        return self.outcomes

    def total(self) -> int:
        with self._lock:
            return sum(self.outcomes.values())

    def wait_for(self, count: int, timeout: float = 30.0) -> None:
        """Until `count` more requests have been answered."""
        target = self.total() + count
        deadline = time.monotonic() + timeout
        while self.total() < target:
            assert time.monotonic() < deadline, f"{self.total()} of {target} answers; {self.outcomes}"
            time.sleep(0.005)

    def _run(self) -> None:
        connection = None
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                if connection is None:
                    host = self.url.split("/")[2]
                    connection = http.client.HTTPConnection(host, timeout=self.timeout)
                answer = mayfly_http.exchange(connection, self.url, headers=self.headers)
                outcome = self.classify(answer)
                if (answer.header("connection") or "").lower() == "close":
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                outcome = ("broken", type(error).__name__)
                if connection:
                    connection.close()
                connection = None
            with self._lock:
                self.outcomes[outcome] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
