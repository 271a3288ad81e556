# A function as awslambdaric, Lambda's own runtime client for Python, runs it.
import os
import sys


def records(event):
    """A batch of a queue: what says "bad" is to come again."""
    for record in event["Records"]:
        print("record", record["attributes"]["ApproximateReceiveCount"], record["body"])
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"] if record["body"] == "bad"]}


def handler(event, context):
    if "Records" in event:
        return records(event)
    path = event["rawPath"]
    if path == "/error":
        raise ValueError("on purpose")
    if path == "/large":
        return {"statusCode": 200, "body": "x" * (7 << 20)}
    if path == "/exit":
        print("leaving now", file=sys.stderr, flush=True)
        os._exit(3)
    print("a line of the Python function")
    method = event["requestContext"]["http"]["method"]
    query = event.get("queryStringParameters", {}).get("q", "")
    left = context.get_remaining_time_in_millis() > 1000
    return {
        "statusCode": 201,
        "headers": {"content-type": "text/plain", "x-request-id": context.aws_request_id},
        "cookies": ["a=1", "b=2"],
        "body": f"{method} {path} q={query} body={event.get('body', '')} fn={context.function_name} left={str(left).lower()}",
    }
