"""Events as a Lambda handler knows them: a batch as records of SQS, with the partial batch answer, and a schedule as
an event of EventBridge. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"""

from datetime import datetime

from . import cloud_event


def _record(message: dict, queue: str) -> dict:
    sent = datetime.fromisoformat(message["timestamp"])
    record = {
        "messageId": message["id"],
        "receiptHandle": message["id"],
        "body": cloud_event.text_of(message),
        "attributes": {"ApproximateReceiveCount": str(message["attempts"]), "SentTimestamp": str(round(sent.timestamp() * 1000))},
        "messageAttributes": {name: {"stringValue": str(value), "dataType": "String"}
                              for name, value in message.get("attributes", {}).items()},
        "eventSource": "mayfly:queue",
        "eventSourceARN": f"mayfly:topic:{queue}",
    }
    if "data_base64" in message:
        record["isBase64Encoded"] = True
    return record


def records(batch: dict) -> dict:
    return {"Records": [_record(message, batch["queue"]) for message in batch["messages"]]}


def batch_answer(result, batch: dict) -> dict:
    """What the daemon is told, of what the handler returned. Raises where Lambda would have the whole batch again."""
    failures = (result.get("batchItemFailures") if isinstance(result, dict) else None) or []
    if not isinstance(failures, (list, tuple)):
        raise TypeError("batchItemFailures must be a list of {itemIdentifier}")
    known = {message["id"] for message in batch["messages"]}
    retry = {}
    for failure in failures:
        name = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if name not in known:
            raise TypeError(f"batchItemFailures has the itemIdentifier {name!r}, which is no messageId of this batch")
        retry[name] = {"id": name}
    return {"retry": list(retry.values())} if retry else {}


def scheduled_event(delivered: dict, invocation: str) -> dict:
    return {
        "version": "0",
        "id": invocation,
        "source": "mayfly.schedule",
        "detail-type": "Scheduled Event",
        "time": delivered["time"],
        "resources": [delivered["schedule"]],
        "detail": delivered.get("payload", {}),
    }
