"""What the sandbox costs, with and without it; and what a neighbour feels of functions that misbehave."""

import http.client
import statistics
import threading
import time

from . import throughput
from .admin import Admin
from .report import Row, percentile, spread
from .servers import BENCH, Mayfly

VICTIMS = BENCH.parent / "tests/victims"
# What is done, in which file; each ends by itself, whatever holds it. A second one begins when the first has been ended.
MISBEHAVIOUR = [("loops", "gets-out.py"), ("eats_memory", "gets-out.py"), ("forks", "gets-out.py"), ("fills_the_disk", "gets-out.py"),
                ("opens_files", "gets-out.py"), ("logs", "gets-out.py"), ("stops", "gets-out.py"), ("never_ends", "gets-out.js")]


class Without(Mayfly):
    """The same daemon with the sandbox switched off."""

    name = "mayfly-without-sandbox"
    options = ("--sandbox", "off")


def difference(admins, load, what, times):
    """Milliseconds of a first request after each eviction, in turn: name → list."""
    taken = {name: [] for name in admins}
    for name, admin in admins.items():
        admin.deploy("start", "native_hello.cpp")
        load.one(admin.mayfly.port, "/start/")
    for number in range(times):
        for name in list(admins) if number % 2 == 0 else list(reversed(admins)):
            admins[name].evict("start", what)
            taken[name].append(load.one(admins[name].mayfly.port, "/start/"))
    for admin in admins.values():
        admin.delete("start")
    return taken


def start_row(admins, load, what, limit, times):
    taken = difference(admins, load, what, times)
    added = spread([a - b for a, b in zip(taken["with"], taken["without"])])
    medians = {name: statistics.median(values) for name, values in taken.items()}
    # Of the medians: each pair holds two waits of the kernel's scheduler, and its spread is mostly those.
    more = medians["with"] - medians["without"]
    return Row(f"sandbox: added to the start of {what}", f"<= {limit} ms", f"{more:.2f} ms", more <= limit,
               f"medians of {times}: with {medians['with']:.2f} ms, without {medians['without']:.2f} ms; native function",
               {"ms": taken, "added_ms": added})


def rate_row(admins, load, rounds, seconds):
    targets = {}
    for name, admin in admins.items():
        admin.deploy("hello", "hello.js")
        targets[name] = (admin.mayfly.port, "/hello/")
    results = throughput.interleave(load, targets, rounds, seconds, 64)
    ratio = throughput.paired(results, "with", "without", "rate")
    clean = not any(throughput.errors(results).values())
    return Row("sandbox: requests/s with and without it, hello, 64 connections", ">= 0.97 x", throughput.text_of(ratio),
               clean and ratio["median"] >= 0.97, throughput.note_of(results, "rate", "/s"), throughput.data_of(results))


def latencies(port, path, seconds, pause=0.002):
    """Milliseconds of one request after the other, 2 ms apart; and how many were not answered with 200."""
    taken, wrong = [], 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        wrong += answer.status != 200
        taken.append((time.perf_counter() - begin) * 1000)
        time.sleep(pause)
    connection.close()
    return taken, wrong


class Misbehaving:
    """Somebody who asks for it again and again, until the block is left."""

    def __init__(self, port, path):
        self.port, self.path, self.stopped = port, path, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(60)

    def run(self):
        while not self.stopped.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request("GET", self.path)
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                pass  # it is what it is for
            finally:
                connection.close()
            self.stopped.wait(0.05)


def neighbour_rows(admin, rounds, seconds):
    port = admin.mayfly.port
    admin.deploy("neighbour", "hello.js")
    rows = []
    for what, file in MISBEHAVIOUR:
        query = f"?file={file}&set=timeout=2s&set=max_instances=1&set=concurrency=1&set=memory=96MiB"
        admin.call("PUT", f"/v1/functions/victim{query}", (VICTIMS / file).read_bytes())
        latencies(port, "/neighbour", 0.3)
        quiet, beside, wrong = [], [], 0
        for _ in range(rounds):
            taken, failed = latencies(port, "/neighbour", seconds)
            quiet.append(percentile(taken, 99))
            wrong += failed
            with Misbehaving(port, f"/victim/{what}"):
                taken, failed = latencies(port, "/neighbour", seconds)
            beside.append(percentile(taken, 99))
            wrong += failed
        admin.delete("victim")
        ratio = spread([b / q for b, q in zip(beside, quiet)])
        rows.append(Row(f"sandbox: p99 of a neighbour while a function {what.replace('_', ' ')}", "<= 3 x", throughput.text_of(ratio),
                        wrong == 0 and ratio["median"] <= 3,
                        f"quiet {statistics.median(quiet):.2f} ms, beside {statistics.median(beside):.2f} ms"
                        + (f"; {wrong} not answered with 200" if wrong else ""), {"ratio": ratio, "quiet": quiet, "beside": beside}))
    return rows


def rows(mayfly, load, logs, binary, rounds, quick):
    """`mayfly`: the one with a sandbox, running."""
    other = Without(logs, binary)
    try:
        other.start()
        admins = {"with": Admin(mayfly), "without": Admin(other)}
        for admin in admins.values():
            admin.wait_ready()
        lacking = [layer["name"] for layer in admins["with"].call("GET", "/v1/status")["sandbox"] if not layer["there"]]
        times = 10 if quick else 40
        found = [start_row(admins, load, "template", 5, times), start_row(admins, load, "instances", 0.3, times),
                 rate_row(admins, load, rounds, 1 if quick else 2)]
    finally:
        other.stop()
    for row in found:
        row.note += f"; this host has no {', '.join(lacking)}" if lacking else ""
    return found + neighbour_rows(Admin(mayfly), 1 if quick else 3, 1 if quick else 3)
