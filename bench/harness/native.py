"""A native function in a fresh instance for each request, beside a C program that forks for each request."""

import shutil
import subprocess

from . import throughput
from .report import Row
from .servers import BENCH, NotAvailable, Server


class ForkEach(Server):
    """peers/fork_each.c, compiled here."""

    name = "fork"

    def __init__(self, log_folder, binary):
        super().__init__(log_folder)
        self.binary = binary

    def start(self):
        compiler = shutil.which("cc")
        if compiler is None:
            raise NotAvailable("there is no C compiler")
        subprocess.run([compiler, "-O2", str(BENCH / "peers/fork_each.c"), "-o", str(self.binary)], check=True)
        self.spawn([str(self.binary), str(self.port)])


def rows(admin, load, port, build, rounds, quick):
    peer = ForkEach(build / "bench-logs", build / "bench_fork_each")
    admin.deploy("native-fresh", "native_hello.cpp", isolation="request")
    admin.deploy("native-reused", "native_hello.cpp")
    try:
        peer.start()
        targets = {"mayfly": (port, "/native-fresh/"), "reused": (port, "/native-reused/"), "fork": (peer.port, "/")}
        seconds = 1 if quick else 2
        single = throughput.interleave(load, targets, rounds, seconds, 1)
        many = throughput.interleave(load, targets, rounds, seconds, 16)
    finally:
        peer.stop()
    p50 = throughput.medians(single, "p50_ms")["mayfly"]
    rate = throughput.medians(many, "rate")["mayfly"]
    clean = throughput.errors(single)["mayfly"] + throughput.errors(many)["mayfly"] == 0
    return [
        Row("native, a fresh instance per request, one connection: p50", "<= 0.5 ms",
            f"{p50['median']:.3f} ms ({p50['min']:.3f} - {p50['max']:.3f})", clean and p50["median"] <= 0.5,
            throughput.note_of(single, "p50_ms", "ms"), throughput.data_of(single)),
        Row("native, a fresh instance per request, 16 connections: requests/s", ">= 1,500/s",
            f"{rate['median']:,.0f}/s ({rate['min']:,.0f} - {rate['max']:,.0f})", clean and rate["median"] >= 1500,
            throughput.note_of(many, "rate", "/s"), throughput.data_of(many)),
    ]
