"""A minute of load while instances, templates and runtime processes are killed at random.

Every request is accounted for: answered, or refused with a typed error; none hangs past its deadline.
"""

import os
import random
import signal
import time
from collections import Counter

from support import processes
from support.load import Load

SECONDS = float(os.environ.get("MAYFLY_CHAOS_SECONDS", "60"))
DEADLINE = 3.0
THREADS = 3
WORK = """
export default { async fetch(request) {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
  return new Response("done");
} };
"""


def classify(answer):
    if answer.status == 200:
        return (200, answer.text)
    try:
        return (answer.status, answer.json["type"])
    except (ValueError, KeyError):
        return (answer.status, "no problem document")


def victims(daemon, depth: int) -> list[int]:
    """Processes `depth` generations below the daemon: 1 runtime processes, 2 templates, 3 instances."""
    table = processes.process_table()
    generation = {daemon.process.pid}
    for _ in range(depth):
        generation = {pid for pid, (parent, state) in table.items() if parent in generation and state != "Z"}
    return sorted(generation)


def test_a_minute_of_murder(start_daemon):
    daemon = start_daemon()
    names = ["steady", "bounded", "single"]
    daemon.deploy("steady", WORK, timeout=f"{DEADLINE}s")
    daemon.deploy("bounded", WORK, timeout=f"{DEADLINE}s", max_instances="3", concurrency="4")
    daemon.deploy("single", WORK, timeout=f"{DEADLINE}s", max_instances="4", concurrency="1")
    loads = [Load(f"{daemon.url}/{name}", threads=THREADS, classify=classify, timeout=DEADLINE + 10) for name in names]
    chance = random.Random(20_261_123)
    killed: Counter = Counter()
    for load in loads:
        load.__enter__()
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.02, 0.2))
            depth = chance.choices([3, 2, 1], weights=[80, 15, 5])[0]
            there = victims(daemon, depth)
            if there:
                try:
                    os.kill(chance.choice(there), chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]))
                    killed[depth] += 1
                except ProcessLookupError:
                    pass
            assert daemon.process.poll() is None, daemon.last_words()
    finally:
        outcomes = [load.stop() for load in loads]

    total = sum(outcomes, Counter())
    print("killed (1 runtime process, 2 template, 3 instance):", dict(killed))
    for outcome, count in total.most_common():
        print(f"{count:8} {outcome}")
    assert sum(killed.values()) > SECONDS, killed
    # A death harms at most what was under way at that moment.
    failed = sum(total.values()) - total[(200, "done")]
    assert failed <= sum(killed.values()) * len(loads) * THREADS, (failed, killed)
    for (status, kind), count in total.items():
        assert status == 200 or (status in (502, 503, 504) and kind.startswith("urn:mayfly:")), (status, kind, count)
    assert max(load.slowest for load in loads) < DEADLINE + 1.5
    for name in names:
        assert daemon.request(f"/{name}").text == "done"
