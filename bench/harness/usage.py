"""What metering costs, with and without it; and whether what it says is what the kernel has in its books."""

import time

from . import throughput
from .admin import Admin
from .report import Row
from .servers import Mayfly, NotAvailable

TARGET_RATE = 0.98
TARGET_DIFFERENCE = 0.01
# The kernel's books are read of a version's control group, so each kind of function has one of its own.
FUNCTIONS = {"metered-node": "cpu20.js", "metered-hello": "hello.js", "metered-python": "hello_handler.py",
             "metered-native": "native_hello.cpp"}


class Unmetered(Mayfly):
    """The same daemon with metering switched off."""

    name = "mayfly-unmetered"
    options = ("--metering", "off")


def rate_row(admins, load, rounds, seconds):
    targets = {}
    for name, admin in admins.items():
        admin.deploy("hello", "hello.js")
        targets[name] = (admin.mayfly.port, "/hello/")
    results = throughput.interleave(load, targets, rounds, seconds, 64)
    ratio = throughput.paired(results, "metered", "unmetered", "rate")
    clean = not any(throughput.errors(results).values())
    return Row("metering: requests/s with and without it, hello, 64 connections", f">= {TARGET_RATE} x",
               throughput.text_of(ratio), clean and ratio["median"] >= TARGET_RATE,
               throughput.note_of(results, "rate", "/s"), throughput.data_of(results))


def settle(admin, name, patience=20):
    """Until nothing runs in it: what an invocation used is booked when it ends."""
    deadline = time.monotonic() + patience
    while admin.call("GET", f"/v1/functions/{name}")["live"]["busy"] > 0:
        if time.monotonic() > deadline:
            raise NotAvailable(f"{name} is still busy")
        time.sleep(0.05)


def kernel_cpu(admin, name):
    """Seconds that the control group of a function's only version has used."""
    (template,) = admin.call("GET", f"/v1/functions/{name}")["live"]["templates"]
    if "cpu_s" not in template["limits"]:
        raise NotAvailable("no control group counts CPU time here")
    return template["limits"]["cpu_s"]


def metered_cpu(admin, name):
    (row,) = admin.call("GET", f"/v1/usage?function={name}")["rows"]
    return row["cpu_s"] + row["init_cpu_s"] + row["idle_cpu_s"], row


def cpu_row(admin, load, seconds):
    port, found = admin.mayfly.port, {}
    for name, file in FUNCTIONS.items():
        admin.deploy(name, file)
        load.wrk(port, f"/{name}/", 8, seconds)
        settle(admin, name)
        metered, row = metered_cpu(admin, name)
        kernel = kernel_cpu(admin, name)
        found[name] = {"metered_s": metered, "kernel_s": kernel, "row": row}
        admin.delete(name)
    metered, kernel = (sum(one[key] for one in found.values()) for key in ("metered_s", "kernel_s"))
    difference = metered / kernel - 1
    worst = max(abs(one["metered_s"] / one["kernel_s"] - 1) for one in found.values())
    return Row("metering: CPU time against the kernel's control groups", f"within {TARGET_DIFFERENCE:.0%}",
               f"{difference:+.2%}", abs(difference) <= TARGET_DIFFERENCE,
               f"metered {metered:.2f} s, kernel {kernel:.2f} s; at worst {worst:.2%} of one of {len(found)} functions", found)


def rows(mayfly, load, logs, binary, rounds, quick):
    """`mayfly`: one that meters, running."""
    other = Unmetered(logs, binary)
    seconds = 1 if quick else 3
    try:
        other.start()
        admins = {"metered": Admin(mayfly), "unmetered": Admin(other)}
        for admin in admins.values():
            admin.wait_ready()
        found = [rate_row(admins, load, rounds, seconds)]
    finally:
        other.stop()
    try:
        return found + [cpu_row(Admin(mayfly), load, seconds)]
    except NotAvailable as error:
        return found + [Row("metering: CPU time against the kernel's control groups", note=str(error), skipped=True)]
