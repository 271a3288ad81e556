'use strict';
// What handlers have of the platform: invoke, publish, next, datasets. Each form hands it to its handlers in its own
// way: as `env`, `context` or `req.mayfly`.

const { isUint8Array } = require('util').types;
const { randomUUID } = require('crypto');
const { call, CallError } = require('./call.js');
const { sourceOf, sourceType } = require('./fetch-body.js');
const { headText, textHas } = require('./fetch-headers.js');
const { datasets, datasetFiles } = require('./datasets.js');
const { Request, isRequest, requestParts } = require('./fetch-request.js');
const { isNative } = require('./fetch-native.js');

const isAnyRequest = (value) => isRequest(value) || isNative('Request', value);

function lengthOf(body) {
  return typeof body === 'string' ? Buffer.byteLength(body) : isUint8Array(body) ? body.byteLength : null;
}

/** Completes a request's parts with the fields that a request over HTTP would have. */
function complete(parts, invocation) {
  let { head, body } = parts;
  if (!textHas(head, 'host')) head += 'host\0localhost\0';
  if (body !== null && !textHas(head, 'content-length') && !textHas(head, 'transfer-encoding')) {
    const length = lengthOf(body);
    head += length === null ? 'transfer-encoding\0chunked\0' : `content-length\0${length}\0`;
  }
  if (!textHas(head, 'traceparent') && invocation.traceparent !== '') head += `traceparent\0${invocation.traceparent}\0`;
  parts.head = head;
  return parts;
}

/** {method, path, headers, body, payload}, all optional. */
function partsOfInit(init) {
  const { method, path = '/', headers, body, payload } = init;
  let head = headText(headers);
  if (payload !== undefined) {
    if (body !== undefined) throw new TypeError('invoke: payload and body: which is meant?');
    if (!textHas(head, 'content-type')) head += 'content-type\0application/json\0';
    return { method: 'POST', target: `${path}`, head, body: JSON.stringify(payload) ?? 'null', event: true };
  }
  const source = sourceOf(body);
  const type = source === null ? null : sourceType();
  if (type !== null && !textHas(head, 'content-type')) head += `content-type\0${type}\0`;
  return { method: method === undefined ? source === null ? 'GET' : 'POST' : `${method}`.toUpperCase(), target: `${path}`, head, body: source };
}

function partsOf(input, init) {
  if (isAnyRequest(input)) return requestParts(init === undefined && isRequest(input) ? input : new Request(input, init));
  if (typeof input === 'string' || input instanceof URL) {
    const url = `${input}`;
    return requestParts(new Request(url.startsWith('/') ? `http://localhost${url}` : url, init));
  }
  return partsOfInit(input ?? {});
}

/** The request that this invocation is, as it came. */
function ownParts(invocation) {
  const { method, target, head } = invocation;
  if (invocation.feed?.taken) throw new TypeError('next: the body was read, so the request has to be given');
  return { method, target, head, body: invocation.bodySource() };
}

// --- Publishing

const attributes = { id: 'ce-id', source: 'ce-source', type: 'ce-type', subject: 'ce-subject', time: 'ce-time',
  dataSchema: 'ce-dataschema', partition: 'ce-partitionkey' };

/** As CloudEvents' HTTP binding asks: percent-encoded where it is not plain ASCII. */
function attributeText(value) {
  const text = value instanceof Date ? value.toISOString() : `${value}`;
  return text.replace(/[^\x21\x23-\x24\x26-\x7e]/gu, (c) => (/[\ud800-\udfff]/.test(c) && c.length === 1 ? '%EF%BF%BD' : encodeURIComponent(c)));
}

function eventParts(topic, data, options, source) {
  const event = { id: randomUUID(), source, type: topic, ...options };
  let body, type;
  if (typeof data === 'string' || isUint8Array(data)) {
    body = data;
    type = typeof data === 'string' ? 'text/plain;charset=UTF-8' : 'application/octet-stream';
  } else if (data !== undefined) {
    body = JSON.stringify(data);
    type = 'application/json';
  }
  let head = 'ce-specversion\x001.0\0';
  for (const name in attributes) if (event[name] !== undefined) head += `${attributes[name]}\0${attributeText(event[name])}\0`;
  for (const [name, value] of Object.entries(event.extensions ?? {})) head += `ce-${name.toLowerCase()}\0${attributeText(value)}\0`;
  if (body !== undefined) head += `content-type\0${event.contentType ?? type}\0`;
  return { id: `${event.id}`, parts: { method: 'POST', target: `/topics/${topic}`, head, body: body ?? null } };
}

async function published(id, promise) {
  const response = await promise;
  const text = await response.text();
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // Not for us.
  }
  if (response.ok) return { ...answer, id };
  throw new CallError(answer.detail ?? answer.title ?? `publish: status ${response.status}`, answer.type, response.status, answer);
}

/** For one invocation. */
class Platform {
  #invocation;
  #functions = null;

  constructor(invocation) {
    this.#invocation = invocation;
  }

  /** Call a function: with a Request, a path, or {method, path, headers, body, payload, signal}. */
  async invoke(name, input = undefined, init = undefined) {
    const invocation = this.#invocation;
    return call(invocation, 'invoke', `${name}`, complete(partsOf(input, init), invocation), (init ?? input)?.signal);
  }
  /** In a decorator: what it is around, with this request or the one that came. */
  async next(request = undefined, init = undefined) {
    const invocation = this.#invocation;
    const parts = request === undefined ? ownParts(invocation) : partsOf(request, init);
    return call(invocation, 'next', '', complete(parts, invocation));
  }
  /** Resolves with {id} when the event is stored. */
  async publish(topic, data = undefined, options = {}) {
    const invocation = this.#invocation;
    const { id, parts } = eventParts(`${topic}`, data, options, `/functions/${Platform.function}`);
    return published(id, call(invocation, 'publish', `${topic}`, complete(parts, invocation)));
  }
  /** What the function lists: name -> ArrayBuffer. */
  get datasets() { return datasets; }
  /** [{name, offset, size}] of a dataset's files. */
  datasetFiles(name) { return datasetFiles(name); }
  /** Functions as service bindings: functions.NAME.fetch(request). */
  get functions() {
    return this.#functions ??= new Proxy({}, {
      get: (_, name) => (typeof name === 'string' ? { fetch: (input, init) => this.invoke(name, input, init) } : undefined),
    });
  }
}

module.exports = { Platform };
