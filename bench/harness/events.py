"""Events: durable publishes beside NATS JetStream and Redis streams, the way to the handler, and a backlog."""

import http.client
import json
import pathlib
import subprocess
import time

from . import throughput
from .admin import Admin, Refused
from .brokers import Nats, Redis
from .report import Row, percentile, spread
from .servers import Mayfly, NotAvailable

PUBLISHERS = (1, 16, 64)
BYTES = (100, 1024)
MIB = 1 << 20


class OnEvents(Mayfly):
    """A daemon of its own: its folder is empty like the others'."""

    name = "mayfly-events"
    protocol = "http"
    key = None

    def start(self):
        super().start()
        self.admin = Admin(self)
        self.admin.wait_ready()

    def make(self, topic):
        """A topic that nobody gets events of. Returns the path."""
        try:
            self.admin.call("PUT", f"/v1/topics/{topic}", json.dumps({"open": True}))
        except Refused as refused:
            if " 404 " not in str(refused):
                raise
            # Without that endpoint: somebody subscribes, and wants none.
            self.admin.deploy(f"none-of-{topic}", "drain.js", **{"on.topic": topic, "on.filter.type": "none"})
            self.key = self.key or self.admin.call("POST", "/v1/keys", '{"name": "bench", "functions": []}')["key"]
        return f"/topics/{topic}"

    def call(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise NotAvailable(f"GET {path}: {answer.status} {text[:200]}")
        return json.loads(text)


def generate(binary, server, target, *numbers):
    command = [str(binary), server.protocol, str(server.port), target, *(str(number) for number in numbers)]
    key = getattr(server, "key", None)
    done = subprocess.run(command + ([key] if key else []), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotAvailable(f"{server.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def file_system(folder):
    found = subprocess.check_output(["stat", "-f", "-c", "%T", str(folder)], text=True).strip()
    if found in ("tmpfs", "ramfs"):
        raise NotAvailable(f"{folder} is in memory: nothing is durable there")
    return found


# --- Durable publishes ---------------------------------------------------------------------------------


def publish_results(binary, servers, publishers, size, rounds, seconds):
    """Name → list of results, one a round; each server's topic is new."""
    results = {server.name: [] for server in servers}
    targets = {server.name: server.make(f"of-{publishers}-{size}") for server in servers}
    for number in range(rounds):
        for server in servers if number % 2 == 0 else list(reversed(servers)):
            results[server.name].append(generate(binary, server, targets[server.name], publishers, seconds, size))
    return results


def publish_row(results, publishers, size, about):
    ours, peers = results["mayfly-events"], [name for name in results if name != "mayfly-events"]
    note = throughput.note_of(results, "rate", "/s") + "; " + throughput.note_of(results, "p99_ms", "ms p99")
    title = f"durable publishes/s, {publishers} publisher{'s' if publishers > 1 else ''}, {size:,} bytes"
    data = throughput.data_of(results) | about
    if not peers:
        return Row(title + ": no peer", note=note, data=data)
    better = [max(results[peer][number]["rate"] for peer in peers) for number in range(len(ours))]
    ratio = spread([one["rate"] / peer for one, peer in zip(ours, better)])
    clean = not any(throughput.errors(results).values())
    has_target = publishers == max(PUBLISHERS)
    return Row(title + " against the better of " + " and ".join(peers), ">= 1 x" if has_target else "", throughput.text_of(ratio),
               clean and ratio["median"] >= 1 if has_target else None, note, data | {"ratio": ratio})


# --- The way to the handler ----------------------------------------------------------------------------


def follow(binary, server, target, count, pause_ms):
    """Milliseconds from before an event was sent until who gets it has it."""
    result = generate(binary, server, target, count, pause_ms)
    if server.protocol != "http":
        return result["followed_ms"]
    took, deadline = [], time.monotonic() + 10
    while len(took) < count and time.monotonic() < deadline:
        took += server.call("/follow/")
    if len(took) != count:
        raise NotAvailable(f"{len(took)} of {count} events came")
    return took


def follow_row(binary, servers, rounds, count):
    results, targets = {server.name: [] for server in servers}, {}
    for server in servers:
        targets[server.name] = server.make("followed")
        if server.protocol == "http":
            server.admin.deploy("follow", "follow.js", max_instances=1, min_instances=1, **{"on.topic": "followed"})
    for number in range(rounds):
        for server in servers if number % 2 == 0 else list(reversed(servers)):
            # Redis and NATS get a new topic each time: who follows there does so with a name.
            target = targets[server.name] if server.protocol == "http" else server.make(f"followed-{number}")
            results[server.name].append(follow(binary, server, target, count, 5))
    medians = {name: spread([percentile(taken, 50) for taken in rounds_of]) for name, rounds_of in results.items()}
    tails = {name: spread([percentile(taken, 99) for taken in rounds_of]) for name, rounds_of in results.items()}
    ours = medians["mayfly-events"]
    note = ", ".join(f"{name} {medians[name]['median']:.2f} ms, p99 {tails[name]['median']:.2f} ms" for name in results)
    return Row("from publish to handler start, one event at a time: p50", "<= 3 ms",
               f"{ours['median']:.2f} ms ({ours['min']:.2f} - {ours['max']:.2f})", ours["median"] <= 3, note,
               {"p50_ms": medians, "p99_ms": tails})


# --- A backlog -----------------------------------------------------------------------------------------


def memory_of(pid):
    """Bytes: resident set, and proportional set."""
    sizes = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("Rss", "Pss"):
            sizes[name.lower()] = int(value.split()[0]) * 1024
    return sizes


class Memory:
    """Looks at a process's memory now and then, and keeps the most."""

    def __init__(self, pid):
        self.pid, self.most = pid, {"rss": 0, "pss": 0}

    def look(self):
        now = memory_of(self.pid)
        self.most = {name: max(value, self.most[name]) for name, value in now.items()}
        return now


def publish_many(server, path, count, memory):
    """Batches of a thousand."""
    one = {"specversion": "1.0", "source": "/bench", "type": "bench", "datacontenttype": "text/plain", "data": "x" * 100}
    headers = {"content-type": "application/cloudevents-batch+json"} | ({"x-api-key": server.key} if server.key else {})
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for first in range(0, count, 1000):
        body = json.dumps([one | {"id": str(first + number)} for number in range(1000)])
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 202:
            raise NotAvailable(f"POST {path}: {answer.status} {text[:200]}")
        if first % 10_000 == 0:
            memory.look()
    connection.close()


def backlog(server, path, count):
    """So many events gather, then they are drained. Returns the daemon's memory, and how long draining took."""
    settings = {"max_instances": 1, "min_instances": 1, "on.topic": path.rpartition("/")[2], "on.batch": 100}
    server.admin.deploy("drain", "drain.js", **settings)
    server.call("/drain/")
    # Without its subscription the function gets nothing: its queue stays, and waits for it to come back.
    server.admin.deploy("drain", "drain.js", max_instances=1)
    memory = Memory(server.process.pid)
    found = {"begin": memory.look()}
    publish_many(server, path, count, memory)
    found["full"] = memory.look()
    server.admin.deploy("drain", "drain.js", **settings)
    started = last = time.monotonic()
    taken = before = 0
    while taken < count and time.monotonic() - last < 30:
        taken = server.call("/drain/")
        last = time.monotonic() if taken > before else last
        before = taken
        memory.look()
        time.sleep(0.05)
    time.sleep(1)  # what was taken last is written down
    found |= {"end": memory.look(), "most": memory.most}
    server.admin.delete("drain")
    if taken < count:
        raise NotAvailable(f"{taken:,} of {count:,} events were drained, then none for 30 s")
    return found, last - started


def backlog_row(server, quick):
    """Both in one daemon, the small one first: what is larger with the large one has grown with the backlog. Quick: the store's
    caches are not full yet, so it says nothing."""
    small, large = (20_000, 60_000) if quick else (100_000, 1_000_000)
    before, _ = backlog(server, server.make("backlog-small"), small)
    memories, seconds = backlog(server, server.make("backlog"), large)
    growth = memories["most"]["pss"] / before["most"]["pss"]
    texts = [f"{name} {sizes['rss'] / MIB:.0f}/{sizes['pss'] / MIB:.0f}" for name, sizes in memories.items()]
    note = (f"drained in batches of 100 at {large / seconds:,.0f} events/s; RSS/PSS of the daemon in MiB: {', '.join(texts)}; most with "
            f"{small:,}: {before['most']['rss'] / MIB:.0f}/{before['most']['pss'] / MIB:.0f}")
    return Row(f"a backlog of {large:,} events: memory against one of {small:,}", "<= 1.25 x" if not quick else "", f"{growth:.2f} x", None if quick else growth <= 1.25, note,
               {"memory": memories, "memory_small": before, "seconds": seconds, "rate": large / seconds})


def rows(build, rounds, quick):
    logs = build / "bench-logs"
    about = {"file_system": file_system(logs), "versions": {}}
    servers, missing, found = [], [], []
    try:
        for kind, place in ((OnEvents, build / "mayfly"), (Nats, build / "bench-peers"), (Redis, build / "bench-peers")):
            server = kind(logs, place)
            servers.append(server)
            try:
                server.start()
                if server.protocol != "http":
                    about["versions"][server.name] = server.version()
            except (NotAvailable, OSError) as error:
                if server.protocol == "http":
                    raise
                servers.pop().stop()
                missing.append(f"{server.name}: {error}")
        for size in BYTES:
            for publishers in PUBLISHERS:
                results = publish_results(build / "bench_publish", servers, publishers, size, rounds, 1 if quick else 2)
                found.append(publish_row(results, publishers, size, about))
        found.append(follow_row(build / "bench_follow", servers, rounds, 100 if quick else 300))
        found.append(backlog_row(servers[0], quick))
    finally:
        for server in servers:
            server.stop()
    if missing:
        found.append(Row("events: a peer is missing", note="; ".join(missing), skipped=True))
    return found
