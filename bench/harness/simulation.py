"""The keep-alive policy on a simulated day; see keep_alive_sim/README.md for the terms."""

import json
import os
import pathlib
import subprocess
import tempfile

from .report import Row
from .servers import BENCH, NotAvailable

MODELS = {
    "function": "one instance is enough for a function",
    "concurrency 16": "an instance takes 16 invocations at once",
    "concurrency 1": "an instance takes one invocation at once",
}


def find_sample(given):
    """The folder with the sample: an argument, MAYFLY_AZURE_SAMPLE, or beside the checkout."""
    named = given or os.environ.get("MAYFLY_AZURE_SAMPLE")
    folder = pathlib.Path(named) if named else BENCH.parent.parent / "shared/data/azure-2019-sample"
    if not (folder / "invocations.csv").exists():
        raise NotAvailable(f"no Azure sample in {folder}; name its folder with --azure-sample or MAYFLY_AZURE_SAMPLE")
    return folder


def run_simulation(binary, folder):
    if not binary.exists():
        raise NotAvailable(f"{binary} is not built")
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        done = subprocess.run([str(binary), str(folder)], env=os.environ | {"KEEP_ALIVE_SIM_JSON": out.name},
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise NotAvailable(done.stderr.strip())
        return json.load(out)


def simulation_rows(binary, folder):
    report = run_simulation(binary, folder)
    rows = []
    for model, policies in report["models"].items():
        by_name = {p["policy"]: p for p in policies}
        fixed, none = by_name["fixed ten minutes"], by_name["no keep-alive"]
        for equal in ("average", "peak"):
            ours = by_name[f"ours, equal {equal}"]
            note = (f"{ours['cold_starts']:,} cold of {ours['invocations']:,} (fixed {fixed['cold_starts']:,}, none "
                    f"{none['cold_starts']:,}); {ours['prewarmed']:,} ahead; GiB avg/peak "
                    f"{ours['average_gib']:.0f}/{ours['peak_gib']:.0f}, fixed {fixed['average_gib']:.0f}/"
                    f"{fixed['peak_gib']:.0f}")
            if equal == "average":
                note += f"; holding with the future known: {by_name['bound: holding, future known']['ratio']:.3f} x"
            rows.append(Row(f"Azure day, {MODELS[model]}: cold starts at equal {equal} memory", "<= 0.4 x fixed 10 min",
                            f"{ours['ratio']:.3f} x", ours["ratio"] <= 0.4, note, {"policies": policies}))
    return rows
