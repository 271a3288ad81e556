"""How long until a first answer: after a deploy, without a template, without an instance."""

import http.client
import time

from .report import Row, spread
from .servers import BENCH, NotAvailable


def first_200(port, path, deadline):
    """Asks until the answer is 200."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise NotAvailable(f"GET {path} is {answer.status} long after its deploy")


def deploy_row(admin, port, times):
    source = (BENCH / "functions/hello.js").read_text()
    taken = []
    for number in range(times):
        # A different text each time: a source that is known already could be taken from the store.
        body = f"// deployment {number}\n{source}".encode()
        start = time.perf_counter()
        admin.call("PUT", f"/v1/functions/first-{number}?file=hello.js", body)
        first_200(port, f"/first-{number}/", time.monotonic() + 10)
        taken.append((time.perf_counter() - start) * 1000)
        admin.delete(f"first-{number}")
    result = spread(taken)
    return Row("deploy by HTTP until the first 200, one file", "<= 30 ms median",
               f"{result['median']:.1f} ms ({result['min']:.1f} - {result['max']:.1f})",
               result["median"] <= 30, f"{times} deploys of new functions", {"ms": result})


def first_request_row(admin, load, port, what, limit, times, file="hello.js", whose=""):
    admin.deploy("start", file)
    load.one(port, "/start/")
    taken = []
    for _ in range(times):
        admin.evict("start", what)
        taken.append(load.one(port, "/start/"))
    admin.delete("start")
    result = spread(taken)
    title = {"template": "first request, no template (runtime process up)",
             "instances": "first request, template but no instance"}[what]
    return Row(whose + title, f"<= {limit} ms median", f"{result['median']:.2f} ms ({result['min']:.2f} - {result['max']:.2f})",
               result["median"] <= limit, f"{times} times", {"ms": result})
