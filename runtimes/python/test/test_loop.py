"""The event loop that the bridge serves from inside of."""

from pathlib import Path

import pytest


class Collector:
    """In the place of a data socket."""

    def __init__(self):
        self.bytes = b""

    def sendall(self, part: bytes) -> None:
        self.bytes += part


def test_a_timer_has_its_turn_in_a_flood_of_requests(start):
    runtime = start("""
        import asyncio, os, time
        struck = []

        async def handler(event, context):
            loop = asyncio.get_running_loop()
            if event["rawPath"] == "/arm":
                loop.call_later(0.2, struck.append, True)
            if event["rawPath"] == "/block":  # until the timer is due and the flood is there
                due = loop.time() + 0.2
                while loop.time() < due or not os.path.exists("flooded"):
                    time.sleep(0.001)
            return bool(struck)
    """.replace("\n        ", "\n"))
    assert runtime.get("/arm").json is False
    runtime.begin("GET", "/block")
    # All of it fits into the socket, and is more than one look at the socket takes.
    data, runtime.data = runtime.data, Collector()
    answers = [runtime.begin(granting=False) for _ in range(800)]
    flood, runtime.data = runtime.data.bytes, data
    assert 64_000 < len(flood) < 128_000, len(flood)
    data.sendall(flood)
    Path(runtime.root, "flooded").touch()
    runtime.until(lambda: answers[-1].done, "the last answer")
    assert any(answer.json for answer in answers), "requests alone had their turns"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_lines_that_the_log_refused_go_out_when_it_has_room(start, kind):
    runtime = start(f"{kind} handler(event, context):\n    for i in range(3000): print('x' * 1000)\n    return i\n")
    runtime.instance()
    log = runtime._sockets[-1]
    runtime._selector.unregister(log)
    assert runtime.get().json == 2999
    runtime._watch(log, runtime._on_log)
    runtime.until(lambda: sum(line.dropped + bool(line.text) for line in runtime.logs) == 3000, "all lines, or their number")
    assert any(line.dropped for line in runtime.logs), "more than an instance keeps"
