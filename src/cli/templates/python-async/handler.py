import asyncio


async def handler(event, context):
    query = event.get("queryStringParameters") or {}
    await asyncio.sleep(0.01)  # what waits leaves the instance to other requests
    return {"hello": query.get("name") or event.get("name") or "world"}
