"""Memory of a thousand live instances, as the kernel sees it: the drop of MemAvailable."""

import pathlib
import time

from .report import Row, spread
from .servers import NotAvailable


def available_bytes():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise NotAvailable("no MemAvailable in /proc/meminfo")


def settled_bytes(samples=5, pause=0.2):
    """Median of a few looks, so that one passing allocation of somebody else does not count."""
    looks = []
    for _ in range(samples):
        looks.append(available_bytes())
        time.sleep(pause)
    return spread(looks)["median"]


def descendants(pid):
    """Number of processes below `pid`."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        children.setdefault(parent, []).append(int(entry.name))
    count, todo = 0, [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            count += 1
            todo.append(child)
    return count


def wait_for_processes(pid, count, seconds):
    deadline = time.monotonic() + seconds
    while descendants(pid) < count and time.monotonic() < deadline:
        time.sleep(0.2)


def density_row(admin, load, mayfly, count, wait_seconds):
    """Each instance serves: `count` requests are held at the same time by instances that take one at once.

    All in: what the daemon needs to know of them, page tables and their template are in the drop as well."""
    admin.deploy("neighbour", "hello.js")
    load.one(mayfly.port, "/neighbour/")  # the runtime process is up before the first look
    pid = mayfly.process.pid
    processes, before = descendants(pid), settled_bytes()
    admin.deploy("dense", "hold.js", concurrency=1, min_instances=count, max_instances=count, timeout="120s")
    wait_for_processes(pid, processes + 1 + count, 60)
    volley = load.volley(mayfly.port, f"/dense/?ms={3000 + 5 * count}", count, 110)
    time.sleep(wait_seconds)
    live = descendants(pid) - processes - 1  # the template serves nothing
    dropped = before - settled_bytes()
    admin.delete("dense")
    admin.delete("neighbour")
    served, names = volley["statuses"].get("200", 0), len(volley["bodies"])
    each = dropped / max(1, live) / 1e6
    complete = served == count and names == count and live >= count
    note = f"{served} requests served by {names} instances, {live} of them live {wait_seconds} s later"
    return Row(f"{count:,} live Node instances that have each served: memory each", "<= 1.5 MB", f"{each:.2f} MB",
               complete and each <= 1.5, note,
               {"megabytes_each": each, "dropped_bytes": dropped, "live_instances": live, "served": served,
                "distinct_instances": names, "waited_seconds": wait_seconds, "statuses": volley["statuses"]})
