'use strict';
// An event that a queue delivers ({attributes, data or data_base64}, as in CloudEvents' JSON format) as bytes,
// as text, and as an HTTP request in binary content mode.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md

const jsonType = /^[^;]*[/+]json\s*(?:;|$)/i;

/** An event that says nothing of its data's type has JSON. */
function isJson({ attributes }) {
  return attributes?.datacontenttype === undefined || jsonType.test(attributes.datacontenttype);
}

/** Data as a handler uses it: a JSON value, a string, a Uint8Array, or undefined. */
function dataOf(event) {
  if (event.data_base64 !== undefined) return new Uint8Array(Buffer.from(event.data_base64, 'base64'));
  return event.data;
}

/** Data as the text that it was sent as; of bytes their base64. */
function textOf(event) {
  if (event.data_base64 !== undefined) return event.data_base64;
  if (event.data === undefined) return '';
  return typeof event.data === 'string' && !isJson(event) ? event.data : JSON.stringify(event.data);
}

/** undefined when there is no data. */
function bytesOf(event) {
  if (event.data_base64 !== undefined) return Buffer.from(event.data_base64, 'base64');
  return event.data === undefined ? undefined : Buffer.from(textOf(event));
}

/** Section 3.1.3.2 of the binding: everything but printable ASCII, and of that blank, quote and percent sign. */
function encodeValue(value) {
  return `${value}`.replace(/[^\x21\x23\x24\x26-\x7e]+/g, (run) =>
    Array.from(Buffer.from(run), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''));
}

const ofDelivery = new Set(['mayfly-event', 'content-type', 'content-length']);

/** {head, body}: the request, with the other headers (a flat list) of the delivery that brought the event. */
function requestOf(event, deliveryHeaders) {
  const body = bytesOf(event);
  let head = '';
  for (let i = 0; i < deliveryHeaders.length; i += 2)
    if (!ofDelivery.has(deliveryHeaders[i])) head += `${deliveryHeaders[i]}\0${deliveryHeaders[i + 1]}\0`;
  for (const [name, value] of Object.entries(event.attributes ?? {}))
    if (name !== 'datacontenttype') head += `ce-${name}\0${encodeValue(value)}\0`;
  if (body !== undefined) head += `content-type\0${event.attributes?.datacontenttype ?? 'application/json'}\0`;
  return { head: `${head}content-length\0${body?.length ?? 0}\0`, body };
}

module.exports = { dataOf, textOf, requestOf };
