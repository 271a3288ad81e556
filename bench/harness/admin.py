"""What the bench asks of the daemon's admin plane."""

import http.client
import json
import time

from .processes import settled
from .servers import BENCH


class Refused(Exception):
    """The admin plane answered with an error."""


class Admin:
    def __init__(self, mayfly):
        self.mayfly = mayfly
        self.token = (mayfly.data / "admin-token").read_text().strip()

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.mayfly.admin_port, timeout=60)
        try:
            connection.request(method, path, body, {"authorization": "Bearer " + self.token})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status} {text[:300]}")
        is_json = "json" in (answer.getheader("content-type") or "")
        return json.loads(text) if is_json else text

    def wait_ready(self, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.call("GET", "/readyz")
            except (Refused, OSError, ValueError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def deploy(self, name, file, **settings):
        """PUT of one source file; returns the daemon's answer."""
        query = "".join(f"&set={key}={value}" for key, value in settings.items())
        source = (BENCH / "functions" / file).read_bytes()
        return self.call("PUT", f"/v1/functions/{name}?file={file}{query}", source)

    def delete(self, name):
        self.call("DELETE", f"/v1/functions/{name}")

    def evict(self, name, what):
        """`what`: "instances", or "template" (and with it the instances). Returns when they are gone: ending
        processes must not take time from the request that is measured next."""
        self.call("POST", f"/v1/functions/{name}/evict?what={what}")
        settled(self.mayfly.process.pid, 0.15, 3)
