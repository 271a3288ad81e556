'use strict';
// Events as a Lambda handler knows them: a batch as records of SQS, with the partial batch answer, and a schedule
// as an event of EventBridge.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

const { textOf } = require('./cloud-event.js');

function recordOf(message, queue) {
  const messageAttributes = {};
  for (const [name, value] of Object.entries(message.attributes ?? {}))
    messageAttributes[name] = { stringValue: `${value}`, dataType: 'String' };
  const record = {
    messageId: message.id,
    receiptHandle: message.id,
    body: textOf(message),
    attributes: {
      ApproximateReceiveCount: `${message.attempts}`,
      SentTimestamp: `${Date.parse(message.timestamp)}`,
    },
    messageAttributes,
    eventSource: 'mayfly:queue',
    eventSourceARN: `mayfly:topic:${queue}`,
  };
  if (message.data_base64 !== undefined) record.isBase64Encoded = true;
  return record;
}

function recordsOf(batch) {
  return { Records: batch.messages.map((message) => recordOf(message, batch.queue)) };
}

/** What the daemon is told, of what the handler returned. Throws where Lambda would have the whole batch again. */
function batchAnswer(result, batch) {
  const failures = result?.batchItemFailures ?? [];
  if (!Array.isArray(failures)) throw new TypeError('batchItemFailures must be a list of {itemIdentifier}');
  const known = new Set(batch.messages.map(({ id }) => id));
  const retry = new Set();
  for (const failure of failures) {
    const id = failure?.itemIdentifier;
    if (!known.has(id)) throw new TypeError(`batchItemFailures has the itemIdentifier ${JSON.stringify(id)}, which is no messageId of this batch`);
    retry.add(id);
  }
  return retry.size === 0 ? {} : { retry: Array.from(retry, (id) => ({ id })) };
}

function scheduledEventOf(event, invocationId) {
  return {
    version: '0',
    id: invocationId,
    source: 'mayfly.schedule',
    'detail-type': 'Scheduled Event',
    time: event.time,
    resources: [event.schedule],
    detail: event.payload ?? {},
  };
}

module.exports = { recordsOf, batchAnswer, scheduledEventOf };
