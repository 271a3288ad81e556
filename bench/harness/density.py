"""Memory of a thousand live instances, as the kernel sees it: the drop of MemAvailable."""

import pathlib
import time

from .processes import below, mean_pss, settled, wait_for_at_least
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


NODE = ("Node", "hello.js", "hold.js")


def density_row(admin, load, mayfly, count, wait_seconds, of=NODE):
    """Each instance serves: `count` requests are held at the same time by instances that take one at once.
    `of`: the runtime, a function that answers, and one that answers later.

    All in: what the daemon needs to know of them, page tables and their template are in the drop as well."""
    runtime, hello, hold = of
    # Keeps its instance, so that the count of processes before holds afterwards.
    admin.deploy("neighbour", hello, min_instances=1)
    load.one(mayfly.port, "/neighbour/")  # the runtime process is up before the first look
    pid = mayfly.process.pid
    processes, before = settled(pid, 2, 20), settled_bytes()
    admin.deploy("dense", hold, concurrency=1, min_instances=count, max_instances=count, timeout="120s")
    wait_for_at_least(pid, processes + 1 + count, 60)
    volley = load.volley(mayfly.port, f"/dense/?ms={3000 + 5 * count}", count, 110)
    time.sleep(wait_seconds)
    family = below(pid)
    live = len(family) - processes - 1  # the template serves nothing
    dropped, pss = before - settled_bytes(), mean_pss(sorted(family)[-20:])  # the youngest are instances
    admin.delete("dense")
    admin.delete("neighbour")
    served, names = volley["statuses"].get("200", 0), len(volley["bodies"])
    each = dropped / max(1, live) / 1e6
    complete = served == count and names == count and live >= count
    # Page tables and kernel objects come on top of PSS, so less than PSS means that somebody else freed memory.
    believable = each > max(0, 0.9 * (pss or 0) / 1e6)
    note = f"{served} requests served by {names} instances, {live} of them live {wait_seconds} s later"
    note += f"; PSS {pss / 1e6:.2f} MB" if pss else ""
    note += "" if believable else "; less than PSS: other processes freed memory meanwhile, measure again"
    return Row(f"{count:,} live {runtime} instances that have each served: memory each", "<= 1.5 MB", f"{each:.2f} MB",
               complete and believable and each <= 1.5, note,
               {"megabytes_each": each, "dropped_bytes": dropped, "pss_bytes": pss, "live_instances": live,
                "served": served, "distinct_instances": names, "waited_seconds": wait_seconds,
                "statuses": volley["statuses"]})
