"""Lets requests with a token through. What it does not read of a body streams through it."""

import mayfly


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if dict(scope["headers"]).get(b"x-token") != b"sesame":
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"who are you?\n"})
        return
    answer = await mayfly.next()
    answer.header_list.append(("x-checked", "yes"))
    await answer(scope, receive, send)
