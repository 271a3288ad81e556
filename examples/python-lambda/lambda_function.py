"""AWS Lambda's Python handler: behind HTTP, invoked with an event of its own, and streamed."""

import json
import logging

logging.getLogger().setLevel(logging.INFO)


def lambda_handler(event, context):
    if "requestContext" not in event:  # mayfly invoke python-lambda '{"numbers": [1, 2, 3]}'
        return {"sum": sum(event["numbers"])}
    logging.info("for %s", context.function_name)
    if event["rawPath"] == "/lines":
        return lines(int(event["queryStringParameters"]["count"]))
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "cookies": ["seen=yes"],
        "body": json.dumps({"path": event["rawPath"], "in_time": context.get_remaining_time_in_millis() > 0}),
    }


def lines(count):
    for number in range(count):
        yield f"line {number + 1}\n"
