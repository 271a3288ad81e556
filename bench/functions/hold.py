"""Answers only after a while, so that a thousand requests at once need a thousand instances."""

import time
import uuid

name = None


def handler(event, context):
    global name
    name = name or str(uuid.uuid4())
    time.sleep(int((event.get("queryStringParameters") or {}).get("ms", 0)) / 1000)
    return {"statusCode": 200, "body": name}
