"""An HTTP request comes as an event of API Gateway (payload 2.0); `mayfly invoke` hands its payload over as it is."""

import json


def handler(event, context):
    query = event.get("queryStringParameters") or {}
    who = query.get("name") or event.get("name") or "world"
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"hello": who, "request": context.aws_request_id}),
    }
