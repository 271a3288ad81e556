"""Load: wrk for throughput, bench_volley for requests that must start at one instant."""

import json
import subprocess

from .servers import BENCH, NotAvailable


class Load:
    def __init__(self, volley_binary):
        self.volley_binary = volley_binary

    def wrk(self, port, path, connections, seconds, threads=1):
        """One run of wrk: dict with rate, p50_ms, p99_ms, errors."""
        done = subprocess.run(
            ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "--latency",
             "-s", str(BENCH / "load/report.lua"), f"http://127.0.0.1:{port}{path}"],
            capture_output=True, text=True, check=False)
        line = next((l for l in done.stdout.splitlines() if l.startswith("JSON ")), None)
        if line is None:
            raise NotAvailable("wrk gave no figures: " + (done.stderr or done.stdout).strip()[-200:])
        raw = json.loads(line[5:])
        return {
            "rate": raw["requests"] / raw["duration_us"] * 1e6,
            "p50_ms": raw["p50_us"] / 1000,
            "p99_ms": raw["p99_us"] / 1000,
            "errors": raw["bad_status"] + raw["socket_errors"],
        }

    def volley(self, port, path, count, timeout):
        """`count` requests at once; see load/volley.cpp."""
        done = subprocess.run(
            [str(self.volley_binary), str(port), path, str(count), str(timeout)],
            capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotAvailable("bench_volley: " + done.stderr.strip())
        return json.loads(done.stdout)

    def one(self, port, path, timeout=30):
        """Milliseconds of one request on a connection that stands already."""
        result = self.volley(port, path, 1, timeout)
        if result["statuses"] != {"200": 1}:
            raise NotAvailable(f"GET {path} was answered {result['statuses']}")
        return result["total_ms"]
