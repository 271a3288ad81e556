"""Events for an application that knows requests only: each message of a delivery, or a schedule, is a request of its
own, a CloudEvent in binary content mode."""

import asyncio
import json
import time
from email.utils import parsedate_to_datetime

from . import cloud_event, events, streams

_OF_DELIVERY = ("mayfly-event", "content-type", "content-length")


class EventRequest:
    """Has what an application's form asks of an invocation. Of an answer that `hands_on(status)` wants, the
    delivery (an invocation) becomes the answer; of others the status is kept."""

    method = "POST"
    more = False

    def __init__(self, delivery, event: dict, hands_on):
        self._delivery = delivery
        self._body = cloud_event.body_of(event)
        self._headers = cloud_event.headers_of(event, len(self._body))
        self._hands_on = hands_on
        self._told = False  # receive() has given the body
        self._over = asyncio.Event()
        self.status = 0
        self.delay: int | None = None  # seconds that Retry-After asks for
        self.head_sent = False
        self.complete = False

    @property
    def handed_on(self) -> bool:
        return self.status != 0 and self._hands_on(self.status)

    def _begin(self, status: int, headers) -> None:
        self.status = status
        if status in (429, 503):
            self.delay = _retry_after(headers)

    # --- WSGI

    def environ(self, base: dict) -> dict:
        environ = self._delivery.environ(base)
        for name in ("HTTP_MAYFLY_EVENT", "CONTENT_TYPE", "CONTENT_LENGTH"):
            environ.pop(name, None)
        for name, value in self._headers:
            key = name.upper().replace("-", "_")
            environ[key if key.startswith("CONTENT") else f"HTTP_{key}"] = value
        return environ

    def body(self) -> bytes:
        return self._body

    def start(self, status: int, headers: list) -> None:
        self._begin(status, headers)
        self.head_sent = True
        if self.handed_on:
            self._delivery.start(status, headers)

    def write(self, chunk: bytes) -> None:
        if self.handed_on:
            self._delivery.write(chunk)

    def end(self) -> None:
        self.complete = True
        if self.handed_on:
            self._delivery.end()

    def respond(self, status: int, headers: list, body: bytes) -> None:
        self.start(status, headers)
        self.write(body)
        self.end()

    def finish(self) -> None:
        pass

    # --- ASGI

    def scope(self, base: dict) -> dict:
        scope = self._delivery.scope(base)
        names = [name.encode() for name in _OF_DELIVERY]
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in names] + [
            (name.encode(), value.encode("latin-1", "replace")) for name, value in self._headers]
        return scope

    async def receive(self) -> dict:
        if not self._told:
            self._told = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict) -> None:
        kind = message.get("type")
        if kind == "http.response.start":
            self._begin(message["status"], message.get("headers", ()))
        elif kind != "http.response.body":
            raise RuntimeError(f"the message type {kind!r} is not known here")
        elif self.status == 0:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if self.handed_on:
            await self._delivery.send(message)
        if kind == "http.response.body" and not message.get("more_body"):
            self.complete = True
            self._over.set()


def _retry_after(headers) -> int | None:
    for name, value in headers:
        name, value = (each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in (name, value))
        if name.lower() != "retry-after":
            continue
        if value.strip().isdigit():
            return int(value)
        try:
            return max(0, round(parsedate_to_datetime(value).timestamp() - time.time()))
        except ValueError:
            return None
    return None


def _scheduled(delivery, event: dict) -> EventRequest:
    """The delivery becomes the request, and its answer is the schedule's result."""
    attributes = {"specversion": "1.0", "id": delivery.id, "type": "mayfly.schedule", "source": "/schedules",
                  "time": event["time"], "schedule": event["schedule"]}
    if "timezone" in event:
        attributes["timezone"] = event["timezone"]
    data = {"data": event["payload"]} if "payload" in event else {}
    return EventRequest(delivery, {"attributes": attributes, **data}, lambda status: True)


def _never(status: int) -> bool:
    return False


def _failed(status: int) -> bool:
    return status >= 400


class _Requests:
    """The messages of a batch one after another, and what the daemon is told of them."""

    def __init__(self, delivery, batch: dict):
        self._delivery = delivery
        self._messages = batch["messages"]
        self._retry: list[dict] = []
        self._alone = len(self._messages) == 1

    def __iter__(self):
        for message in self._messages:
            request = EventRequest(self._delivery, message, _failed if self._alone else _never)
            yield request
            if request.status >= 400:
                streams.bridge.log(streams.ERROR, f"The message {message['id']} was answered with status {request.status}", self._delivery.stream)
            elif request.status != 0:
                continue
            self._retry.append({"id": message["id"]} if request.delay is None else {"id": message["id"], "delay_s": request.delay})

    def raised(self, error: Exception, request: EventRequest) -> None:
        """Raises it again where it is the whole delivery's."""
        if request.complete and not request.handed_on:
            streams.log_error(error, "After the answer: ")
        elif self._alone:
            raise error
        else:
            streams.log_error(error, "A message failed: ")
            request.status, request.delay = 0, None

    @property
    def answer(self) -> dict:
        return {"retry": self._retry} if self._retry else {}


# --- WSGI


def serve_wsgi(invocation, call) -> None:
    """call(request): serves one. Raises what fails the delivery."""
    body = b"".join(iter(invocation.read, b""))
    if events.has(invocation.event_kind):
        events.serve(invocation, body)
        return
    delivered = json.loads(body)
    if invocation.event_kind == "schedule":
        call(_scheduled(invocation, delivered))
        invocation.finish()
        return
    requests = _Requests(invocation, delivered)
    for request in requests:
        try:
            call(request)
        except Exception as error:
            requests.raised(error, request)
    streams.flush()
    _answer(invocation, requests)


# --- ASGI


async def serve_asgi(invocation, app, base: dict) -> None:
    """Raises what fails the delivery."""
    body = await _whole_body(invocation)
    if events.has(invocation.event_kind):
        await events.serve_async(invocation, body)
        return
    delivered = json.loads(body)
    if invocation.event_kind == "schedule":
        await _call(app, _scheduled(invocation, delivered), base)
        return
    requests = _Requests(invocation, delivered)
    for request in requests:
        try:
            await _call(app, request, base)
        except Exception as error:
            requests.raised(error, request)
    streams.flush_of(invocation.stream)
    _answer(invocation, requests)


async def _whole_body(invocation) -> bytes:
    parts = []
    while True:
        message = await invocation.receive()
        if message["type"] == "http.disconnect":
            raise OSError("the delivery was cancelled")
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def _call(app, request: EventRequest, base: dict) -> None:
    await app(request.scope(base), request.receive, request.send)
    if not request.complete:
        raise RuntimeError("the application returned before its answer was complete")


def _answer(invocation, requests: _Requests) -> None:
    if invocation.complete:
        invocation.finish()
    else:
        invocation.respond(200, [("content-type", "application/json")], json.dumps(requests.answer))
