"""The arguments of queue(batch, context) and scheduled(event, context)."""

import math
from datetime import datetime

from . import cloud_event

_ACKNOWLEDGED = object()


def _retry_of(delay_seconds) -> dict:
    if delay_seconds is None:
        return {}
    if isinstance(delay_seconds, bool) or not isinstance(delay_seconds, (int, float)) or not 0 <= delay_seconds < math.inf:
        raise TypeError(f"delay_seconds must be a number of seconds, not {delay_seconds!r}")
    return {"delay_s": math.ceil(delay_seconds)}


class _Decisions:
    """What is to become of each message. The first call for one counts; one for a message goes before one for
    the whole batch."""

    def __init__(self, ids: list[str]):
        self._ids = ids
        self._each: dict = {}
        self._rest = None

    @property
    def none(self) -> bool:
        return self._rest is None and not self._each

    def decide(self, message: str, decision) -> None:
        if self._rest is None:
            self._each.setdefault(message, decision)

    def decide_rest(self, decision) -> None:
        if self._rest is None:
            self._rest = decision

    def answer(self, raised: bool) -> dict:
        """What the daemon is told."""
        rest = self._rest if self._rest is not None else {} if raised else _ACKNOWLEDGED
        decided = [(one, self._each.get(one, rest)) for one in self._ids]
        retry = [{"id": one, **decision} for one, decision in decided if decision is not _ACKNOWLEDGED]
        return {"retry": retry} if retry else {}


class Message:
    """One event of a batch.

    id: of this delivery, the same at every attempt. timestamp: when the event was accepted. attempts: 1 the first
    time. attributes: those of CloudEvents. body: a JSON value, a str if the data's type is text/*, else bytes; None
    if there is none."""

    def __init__(self, decisions: _Decisions, delivered: dict):
        self._decisions = decisions
        self.id: str = delivered["id"]
        self.timestamp = datetime.fromisoformat(delivered["timestamp"])
        self.attempts: int = delivered["attempts"]
        self.attributes: dict = delivered.get("attributes", {})
        self.body = cloud_event.data_of(delivered)

    def ack(self) -> None:
        """It does not come again, whatever the handler does."""
        self._decisions.decide(self.id, _ACKNOWLEDGED)

    def retry(self, delay_seconds: float | None = None) -> None:
        """It comes again, after so many seconds or the subscription's own delay."""
        self._decisions.decide(self.id, _retry_of(delay_seconds))

    def __repr__(self) -> str:
        return f"Message(id={self.id!r}, attempts={self.attempts}, attributes={self.attributes!r})"


class Batch:
    """Events of the topic `queue`. What was not decided when the handler returns is acknowledged; when it raises,
    it comes again."""

    def __init__(self, delivered: dict):
        self.queue: str = delivered["queue"]
        self._decisions = _Decisions([each["id"] for each in delivered["messages"]])
        self.messages = [Message(self._decisions, each) for each in delivered["messages"]]

    def ack_all(self) -> None:
        self._decisions.decide_rest(_ACKNOWLEDGED)

    def retry_all(self, delay_seconds: float | None = None) -> None:
        self._decisions.decide_rest(_retry_of(delay_seconds))

    def __iter__(self):
        return iter(self.messages)

    def __len__(self) -> int:
        return len(self.messages)


def decisions_of(batch: Batch) -> _Decisions:
    return batch._decisions


class ScheduledEvent:
    """One time of a schedule.

    cron: as it was written, "0 3 * * *". scheduled_time: when it was due. payload: what the schedule was given,
    None if nothing."""

    type = "scheduled"

    def __init__(self, delivered: dict):
        self.cron: str = delivered["schedule"]
        self.timezone: str | None = delivered.get("timezone")
        self.scheduled_time = datetime.fromisoformat(delivered["time"])
        self.payload = delivered.get("payload")
        self._retries = True

    def no_retry(self) -> None:
        """Should this attempt fail, there is no other."""
        self._retries = False

    def __repr__(self) -> str:
        return f"ScheduledEvent(cron={self.cron!r}, scheduled_time={self.scheduled_time!r}, payload={self.payload!r})"


def retries(event: ScheduledEvent) -> bool:
    return event._retries
