"""An ASGI application without a framework: an upload is digested while it arrives."""

import hashlib


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    digest, more = hashlib.sha256(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for part in (scope["method"].encode(), b" ", digest.hexdigest().encode(), b"\n"):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def lifespan(receive, send):
    while True:
        phase = (await receive())["type"]
        print(phase)
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return
