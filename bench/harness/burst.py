"""500 requests at once to a function that has no instance, 20 ms of work each."""

import os

from .report import Row, percentile, spread

COUNT = 500
WORK_MS = 20


def ideal_ms(flavour):
    """Waiting overlaps completely; processor time is shared out over the cores."""
    return WORK_MS if flavour == "sleep" else WORK_MS * COUNT / len(os.sched_getaffinity(0))


def burst_row(admin, load, port, flavour, rounds, **settings):
    admin.deploy("burst", f"{flavour}20.js", max_instances=COUNT, timeout="60s", **settings)
    load.one(port, "/burst/")
    totals, instances, served, statuses, p50 = [], [], [], [], []
    for _ in range(rounds):
        admin.evict("burst", "instances")
        volley = load.volley(port, "/burst/", COUNT, 60)
        totals.append(volley["total_ms"])
        instances.append(len(volley["bodies"]))
        served.append(volley["statuses"].get("200", 0))
        statuses.append(volley["statuses"])
        p50.append(percentile(volley["latencies_ms"] or [0], 50))
    admin.delete("burst")
    total, ideal = spread(totals), ideal_ms(flavour)
    how = ", ".join(f"{k} {v}" for k, v in settings.items()) or "default concurrency"
    note = (f"ideal {ideal:,.0f} ms; {min(served)} of {COUNT} served by {max(instances)} instances; "
            f"half answered after {spread(p50)['median']:,.0f} ms")
    return Row(f"burst of {COUNT} to zero, {WORK_MS} ms {'of waiting' if flavour == 'sleep' else 'of CPU'} ({how})",
               f"all served, <= {COUNT} instances", f"{total['median']:,.0f} ms = {total['median'] / ideal:.1f} x ideal",
               min(served) == COUNT and max(instances) <= COUNT, note,
               {"total_ms": total, "ideal_ms": ideal, "instances": instances, "served": served,
                "statuses": statuses, "p50_ms": p50, "cores": len(os.sched_getaffinity(0))})
