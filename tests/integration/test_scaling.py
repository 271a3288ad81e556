"""Instances come with demand and go without it; nobody starves; a burst is served. Runs alone."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from support.load import Load
from support.processes import eventually

TWENTY = "export default { async fetch() { await new Promise((r) => setTimeout(r, 20)); return new Response('ok'); } };\n"
PID = "export default { async fetch() { await new Promise((r) => setTimeout(r, 30)); return new Response(String(process.pid)); } };\n"


def live(daemon, name: str) -> dict:
    return daemon.describe(name)["live"]


def test_scale_to_zero_and_back(start_daemon):
    # No memory for what is idle: it goes at once.
    daemon = start_daemon("--memory-budget", "1MiB")
    daemon.deploy("sleeper", "export default { fetch: () => new Response('awake') };")
    for _ in range(3):
        assert daemon.request("/sleeper").text == "awake"
        eventually(lambda: live(daemon, "sleeper")["instances"] == 0, 30, "the instances to go")


def states(daemon, name: str) -> list[str]:
    return [template["state"] for template in live(daemon, name)["templates"]]


def test_when_memory_is_short_what_is_used_least_ends_and_the_minimum_stays(start_daemon):
    # Room for a few templates of this size, not for eight.
    daemon = start_daemon("--memory-budget", "100MiB", "--threads", "1")
    large = "globalThis.kept = new Uint8Array(16 << 20).fill(1); export default { fetch: () => new Response(String(process.pid)) };"
    daemon.deploy("minimal", large, min_instances="1")
    eventually(lambda: live(daemon, "minimal")["instances"] == 1, what="the minimum")
    names = [f"large-{number}" for number in range(8)]
    for name in names:
        daemon.deploy(name, large)
        assert daemon.request(f"/{name}").status == 200
    status = daemon.admin("/v1/status").json["memory"]
    assert status["budget"] == 100 << 20

    def within():
        assert daemon.request("/large-0").status == 200  # the one that is used
        memory = daemon.admin("/v1/status").json["memory"]
        ended = [name for name in names if states(daemon, name) == ["none"]]
        return ended and memory["held"] <= memory["budget"] and ended

    ended = eventually(within, 60, "the least worthy to end")
    assert "large-0" not in ended
    assert live(daemon, "minimal")["instances"] == 1
    assert states(daemon, "minimal") == ["ready"]
    for name in ended:
        assert daemon.request(f"/{name}").status == 200, "what has ended comes back"


def test_describe_says_what_is_held_and_until_when(start_daemon):
    daemon = start_daemon()
    daemon.deploy("looked-at", "export default { fetch: () => new Response('ok') };")
    assert daemon.request("/looked-at").text == "ok"

    def template():
        return live(daemon, "looked-at")["templates"][0]

    instances = eventually(
        lambda: (now := template()["instances"]) and "ends_in_s" in now and now, what="the end of what is idle"
    )
    assert instances["count"] == 1
    assert 30 < instances["ends_in_s"] < 86_400
    for idle in (template(), template()["instances"]):
        assert 1 << 18 < idle["memory_bytes"] < 1 << 26
    assert "MiB" in daemon.cli("describe", "looked-at").stdout


def wakeups(daemon) -> int:
    """How often the daemon's threads have gone to sleep so far."""
    counts = 0
    for status in Path(f"/proc/{daemon.process.pid}/task").glob("*/status"):
        lines = status.read_text().splitlines()
        counts += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return counts


def test_a_daemon_with_nothing_to_do_sleeps(start_daemon):
    daemon = start_daemon()
    eventually(lambda: sleeps_for(daemon, 2.0), 60, "two seconds without a wake-up")


def sleeps_for(daemon, seconds: float) -> bool:
    before = wakeups(daemon)
    time.sleep(seconds)  # what is awaited is that nothing happens
    return wakeups(daemon) == before


@pytest.mark.parametrize("what", ["instances", "template"])
def test_what_was_evicted_comes_back(daemon, what):
    name = f"evicted-{what}"
    daemon.deploy(name, "export default { fetch: () => new Response('awake') };")
    assert daemon.request(f"/{name}").text == "awake"
    assert daemon.admin(f"/v1/functions/{name}/evict?what={what}", "POST").status == 204
    eventually(lambda: live(daemon, name)["instances"] == 0, what="the instances to go")
    assert daemon.request(f"/{name}").text == "awake"


def test_min_instances_are_there_before_anybody_asks(daemon):
    daemon.deploy("ready", PID, min_instances="3", concurrency="1")
    eventually(lambda: live(daemon, "ready")["instances"] >= 3, what="three instances")


def test_max_instances_are_never_exceeded(daemon):
    daemon.deploy("bounded", PID, max_instances="2", concurrency="1")
    with Load(f"{daemon.url}/bounded", threads=8) as load:
        load.wait_for(100)
        assert live(daemon, "bounded")["instances"] <= 2
    pids = {outcome[1] for outcome in load.outcomes}
    assert {outcome[0] for outcome in load.outcomes} == {200}
    assert len(pids) <= 2


def test_concurrency_shares_an_instance(daemon):
    daemon.deploy("shared", PID, max_instances="1", concurrency="10")
    began = time.monotonic()
    with Load(f"{daemon.url}/shared", threads=10) as load:
        load.wait_for(100)
    assert {outcome[0] for outcome in load.outcomes} == {200}
    # 100 answers of 30 ms, ten at a time: 0.3 s. One at a time: 3 s.
    assert time.monotonic() - began < 2


def test_a_flood_of_one_function_does_not_starve_another(daemon):
    spin = "export default { fetch() { const end = performance.now() + 5; while (performance.now() < end); return new Response('spun'); } };"
    daemon.deploy("flooded", spin, max_instances="2", concurrency="1", timeout="30s")
    daemon.deploy("modest", "export default { fetch: () => new Response('served') };")
    assert daemon.request("/modest").text == "served"
    with Load(f"{daemon.url}/flooded", threads=32) as flood:
        flood.wait_for(50)
        times = []
        for _ in range(50):
            began = time.monotonic()
            assert daemon.request("/modest").text == "served"
            times.append(time.monotonic() - began)
    assert {outcome[0] for outcome in flood.outcomes} <= {200, 503}
    assert sorted(times)[len(times) // 2] < 0.15, f"median {sorted(times)[25]:.3f} s beside a flood"
    assert max(times) < 2.0


async def burst(port: int, count: int, path: str) -> list[int]:
    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split(b" ", 2)[1])

    return await asyncio.gather(*(one() for _ in range(count)))


def test_a_burst_of_500_to_a_function_at_zero(daemon):
    daemon.deploy("burst", TWENTY, max_instances="500", timeout="30s")
    most = 0
    done = threading.Event()

    def watch():
        nonlocal most
        while not done.is_set():
            most = max(most, live(daemon, "burst")["instances"])
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        statuses = asyncio.run(burst(daemon.port, 500, "/burst"))
    finally:
        done.set()
        watcher.join()
    assert statuses == [200] * 500
    assert most <= 500
