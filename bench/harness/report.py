"""Rows of the result: printed as a table, written as JSON."""

import json
import math
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    """One row. `passed`: True, False, or None where there is no target or nothing was measured."""

    figure: str
    target: str = ""
    value: str = ""
    passed: bool | None = None
    note: str = ""
    data: dict = field(default_factory=dict)
    skipped: bool = False

    @property
    def mark(self):
        if self.skipped:
            return "skipped"
        return {True: "pass", False: "MISS", None: ""}[self.passed]


def spread(values):
    """Median, and the lowest and highest, of a list of numbers."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def percentile(values, percent):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def print_table(rows):
    widths = [max(len(r.figure) for r in rows), max(len(r.target) for r in rows), max(len(r.value) for r in rows)]
    head = ["figure".ljust(widths[0]), "target".ljust(widths[1]), "measured".ljust(widths[2]), "", ""]
    print("  ".join(head).rstrip())
    print("  ".join(["-" * w for w in widths] + ["-------"]))
    for r in rows:
        cells = [r.figure.ljust(widths[0]), r.target.ljust(widths[1]), r.value.ljust(widths[2]), r.mark.ljust(7)]
        print("  ".join(cells + [r.note]).rstrip())


def write_json(path, rows, machine):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"machine": machine, "rows": [asdict(r) | {"mark": r.mark} for r in rows]}, out, indent=1)
        out.write("\n")
