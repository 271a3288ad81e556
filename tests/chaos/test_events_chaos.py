"""Events while the daemon is killed at random moments: what was accepted ends, once, and nothing of it is lost.

Publishers send to a topic with two subscribers and make asynchronous invocations, of functions that fail and die now
and then. Each message has a token of its own. The account is read from events.db and from the functions' logs.
"""

import json
import os
import random
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from http.client import HTTPException
from typing import NamedTuple

from support import http

SECONDS = float(os.environ.get("MAYFLY_CHAOS_SECONDS", "20"))
ATTEMPTS = 3
PUBLISHERS = 2
INVOKERS = 2
FINAL = {4: "succeeded", 5: "dead", 6: "cancelled"}
CHANCE = "const chance = () => { const x = Math.random(); if (x < 0.01) process.exit(3); return x < 0.15; };"
SUBSCRIBER = CHANCE + """
export default { async queue(batch) {
  for (const message of batch.messages) {
    console.log(JSON.stringify({ token: message.body }));
    if (chance()) message.retry();
  }
} };
"""
WORKER = CHANCE + """
export default async (request) => {
  console.log(JSON.stringify({ token: await request.text() }));
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
  return new Response("done", { status: chance() ? 500 : 200 });
};
"""


class Sender(threading.Thread):
    """Sends one message after another, and keeps in mind which ones the daemon has accepted, and when."""

    def __init__(self, daemon, name: str, path: str, headers: dict[str, str]):
        super().__init__()
        self.daemon_, self.name_, self.path, self.headers = daemon, name, path, headers
        self.accepted: dict[str, float] = {}
        self.locations: dict[str, str] = {}
        self.outcomes: Counter = Counter()
        self.ended = threading.Event()

    def run(self):
        number = 0
        while not self.ended.is_set():
            number += 1
            token = f"{self.name_}-{number}"
            for _ in range(3):  # with the same key: perhaps it was accepted, and only its answer was lost
                if self.send(token) or self.ended.wait(0.1):
                    break
            self.ended.wait(0.01)

    def send(self, token: str) -> bool:
        headers = {**self.headers, "content-type": "text/plain", "idempotency-key": token}
        begun = time.time()
        try:
            answer = http.request(self.daemon_.url + self.path, "POST", headers=headers, body=token.encode(), timeout=20)
        except (OSError, EOFError, ValueError, HTTPException) as error:
            self.outcomes[type(error).__name__] += 1
            return False
        self.outcomes[answer.status] += 1
        if answer.status != 202:
            return False
        self.accepted[token] = begun
        self.locations[token] = answer.header("location")
        return True


class Fate(NamedTuple):
    """What is kept of a delivery; a state of None: it has no row."""
    queue: str
    state: int | None
    attempts: int
    accepted: float
    finished: float | None

    def hit_by(self, kills: list[float]) -> int:
        """How many kills may have had it delivered once more: none before it was accepted, and none after its end was written down."""
        return sum(self.accepted < kill and (self.finished is None or kill < self.finished) for kill in kills)


class Book:
    """What the daemon keeps: read from its file, beside it."""

    def __init__(self, daemon):
        self.file = sqlite3.connect(f"file:{daemon.folder / 'events.db'}?mode=ro", uri=True, timeout=30)

    def fates(self) -> dict[str, list[Fate]]:
        rows = self.file.execute(
            "SELECT CAST(e.body AS TEXT), q.name, d.state, (SELECT count(*) FROM attempts a WHERE a.delivery = d.id), "
            "e.accepted / 1000.0, d.finished / 1000.0 "
            "FROM events e JOIN queues q ON q.stream = e.id >> 36 "
            "LEFT JOIN deliveries d ON d.id = (q.id << 36 | (e.id & 68719476735))")
        fates = defaultdict(list)
        for token, *fate in rows:
            fates[token].append(Fate(*fate))
        return fates

    def open(self) -> int:
        return sum(fate.state not in FINAL for fates in self.fates().values() for fate in fates)


def deliveries(daemon) -> Counter:
    """How often each token came to each function, as their logs tell. What was logged in the moment of a kill may be
    missing; nothing is there that was not."""
    seen: Counter = Counter()
    for file in (daemon.folder / "logs").rglob("*"):
        if not file.is_file():
            continue
        function = next(name for name in ("first", "second", "worker") if str(file.relative_to(daemon.folder)).count(name))
        for line in file.read_text(errors="replace").splitlines():
            try:
                seen[function, json.loads(json.loads(line)["text"])["token"]] += 1
            except (ValueError, KeyError, TypeError):
                continue
    return seen


def test_nothing_that_was_accepted_is_lost_when_the_daemon_is_killed(start_daemon):
    daemon = start_daemon()
    options = {"attempts": str(ATTEMPTS), "backoff": "20ms", "backoff_max": "100ms"}
    for name in ("first", "second"):
        daemon.deploy(name, SUBSCRIBER, **{"on.topic": "chaos", **{f"on.{key}": value for key, value in options.items()}})
    daemon.deploy("worker", WORKER, **{f"async.{key}": value for key, value in options.items()})
    credential = {"x-api-key": daemon.admin("/v1/keys", "POST", json={"name": "chaos", "functions": ["topics/chaos"]}).json["key"]}
    senders = [Sender(daemon, f"topic{i}", "/topics/chaos", credential) for i in range(PUBLISHERS)]
    senders += [Sender(daemon, f"async{i}", "/worker", {"prefer": "respond-async"}) for i in range(INVOKERS)]
    for sender in senders:
        sender.start()
    chance = random.Random(20_261_128)
    kills: list[float] = []
    cancelled = 0
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.1, 1.5))
            newest = list(senders[-1].locations.values())[-1:]
            if newest and chance.random() < 0.5:
                cancelled += daemon.request(newest[0], "DELETE").status == 200
            kills.append(time.time())
            daemon.kill()
            daemon.start()
    finally:
        for sender in senders:
            sender.ended.set()
        for sender in senders:
            sender.join()

    book = Book(daemon)
    patience = time.monotonic() + 60
    while book.open() > 0 and time.monotonic() < patience:
        time.sleep(0.1)
    fates = book.fates()
    accepted = {token: when for sender in senders for token, when in sender.accepted.items()}
    outcomes = sum((sender.outcomes for sender in senders), Counter())
    states = Counter(FINAL.get(fate.state, f"open ({fate.state})") for all_ in fates.values() for fate in all_)
    seen = deliveries(daemon)
    again = {key: count for key, count in seen.items() if count > 1}
    unexplained = {}
    for (function, token), count in again.items():
        fate = next(one for one in fates[token] if one.queue.endswith((f">{function}", f":{function}")))
        if count > fate.attempts + fate.hit_by(kills):
            unexplained[function, token] = (count, fate)
    beyond = sum(count - 1 for count in again.values())
    print(f"{len(kills)} kills; {len(accepted)} accepted, {len(fates)} kept; answers: {dict(outcomes)}")
    print(f"deliveries: {dict(states)}; {cancelled} cancelled by hand; "
          f"{sum(seen.values())} seen by functions, {beyond} of them again, {len(unexplained)} without a reason")

    assert len(kills) >= SECONDS / 10 and len(accepted) > SECONDS
    assert set(accepted) <= set(fates), "accepted and gone"
    for token, all_ in fates.items():
        queues = sorted(fate.queue for fate in all_)
        wanted = ["chaos>first", "chaos>second"] if token.startswith("topic") else ["function:worker"]
        assert queues == wanted, (token, queues, "accepted twice with one key, or not for everybody")
        assert all(fate.state in FINAL for fate in all_), (token, all_)
    assert not unexplained
    for token in accepted:
        functions = ("first", "second") if token.startswith("topic") else ("worker",)
        for fate, function in zip(sorted(fates[token]), functions):
            assert fate.state != 4 or fate.attempts >= 1, (token, fate.queue)
