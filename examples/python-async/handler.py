"""An async handler: one instance serves many requests side by side, and they may share what they have opened."""

import asyncio
import json

seats = asyncio.Semaphore(4)


async def handler(event, context):
    names = json.loads(event.get("body") or "[]")

    async def greet(name):
        async with seats:
            await asyncio.sleep(0.01)
        return f"Hello, {name}!"

    return {"greetings": await asyncio.gather(*map(greet, names))}
