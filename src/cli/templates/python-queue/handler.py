"""Each message of a batch is acknowledged, or comes again."""

import logging


def queue(batch, context):
    for message in batch:
        try:
            handle(message.body, message.attributes)
            message.ack()
        except Exception:
            logging.exception("attempt %d of %s", message.attempts, message.id)
            message.retry()  # or retry(delay_seconds=60)


def handle(data, attributes):
    print(f"{attributes['type']}: hello {data['name']}")
