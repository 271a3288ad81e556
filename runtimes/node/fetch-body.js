'use strict';
// Body: what Request and Response have in common. A body stays in the form it was given until somebody
// asks for it as a stream. Semantics: fetch.spec.whatwg.org, section "Body mixin".

const { isDisturbed } = require('stream');
const { MIMEType } = require('util');
const { isUint8Array, isAnyArrayBuffer } = require('util').types;
const { native, isNative } = require('./fetch-native.js');

const encoder = new TextEncoder();
const unusable = 'Body is unusable: Body has already been read';

/** The type that goes with the last source that `sourceOf` made; null when it has none. */
let sourceType = null;

/** A body as it is given to a constructor, in one of the forms that Body keeps. Sets the type. */
function sourceOf(body) {
  sourceType = null;
  if (body === null || body === undefined) return null;
  if (typeof body === 'string') {
    sourceType = 'text/plain;charset=UTF-8';
    return body;
  }
  return typeof body === 'object' ? sourceOfObject(body) : sourceOf(`${body}`);
}

function sourceOfObject(body) {
  if (isAnyArrayBuffer(body)) return new Uint8Array(body.slice(0));
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice();
  if (body instanceof URLSearchParams) {
    sourceType = 'application/x-www-form-urlencoded;charset=UTF-8';
    return body.toString();
  }
  if (body instanceof Blob) {
    if (body.type) sourceType = body.type;
    return body;
  }
  if (body instanceof ReadableStream) {
    if (isDisturbed(body)) throw new TypeError('Response body object should not be disturbed or locked');
    if (body.locked) throw new TypeError('Response body object should not be disturbed or locked');
    return body;
  }
  if (isNative('FormData', body)) {
    const carrier = new (native('Response'))(body);
    sourceType = carrier.headers.get('content-type');
    return carrier.body;
  }
  if (typeof body[Symbol.asyncIterator] === 'function') return body;
  return sourceOf(`${body}`);
}

/** The bytes of one chunk of a streamed body. */
function chunkBytes(chunk) {
  if (isUint8Array(chunk)) return chunk;
  throw new TypeError('Received non-Uint8Array chunk');
}

function streamOfBytes(bytes) {
  return new ReadableStream({
    type: 'bytes',
    pull(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}

function streamOfIterable(iterable) {
  const iterator = iterable[Symbol.asyncIterator]();
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      const bytes = typeof value === 'string' ? encoder.encode(value) : new Uint8Array(chunkBytes(value));
      if (bytes.byteLength > 0) controller.enqueue(bytes);
      else return this.pull(controller);
    },
    async cancel(reason) {
      await iterator.return?.(reason);
    },
  }, { highWaterMark: 0 });
}

function streamOf(source) {
  if (source instanceof ReadableStream) return source;
  if (typeof source === 'string') return streamOfBytes(encoder.encode(source));
  if (isUint8Array(source)) return streamOfBytes(new Uint8Array(source));  // a copy: streams of bytes detach what they are given
  if (source instanceof Blob) return source.stream();
  if (source.isFeed) return source.stream();
  return streamOfIterable(source);
}

/** All bytes of a source: a Uint8Array, or a promise of one. */
function collect(source) {
  if (source === null) return new Uint8Array(0);
  if (typeof source === 'string') return encoder.encode(source);
  if (isUint8Array(source)) return source;
  if (source.isFeed) return source.collect();
  if (source instanceof Blob) return source.arrayBuffer().then((buffer) => new Uint8Array(buffer));
  return collectStream(streamOf(source));
}

async function collectStream(stream) {
  const reader = stream.getReader();
  const chunks = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(chunkBytes(value));
    size += value.byteLength;
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size);
}

function decode(bytes) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** An ArrayBuffer of exactly these bytes, and of nothing else that is in use. */
function exactBuffer(bytes, owned) {
  const { buffer, byteOffset, byteLength } = bytes;
  if (owned && byteOffset === 0 && buffer.byteLength === byteLength) return buffer;
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

let takeSource, teeSource, setSource, usable, hasBody;

class Body {
  #source;         // null | string | Uint8Array | Blob | ReadableStream | async iterable | feed of an invocation
  #stream = null;  // the source as a ReadableStream, once somebody asked
  #used = false;

  constructor(source) {
    this.#source = source;
  }

  get body() {
    if (this.#source === null) return null;
    if (this.#stream === null) {
      this.#stream = streamOf(this.#used ? '' : this.#source);
      if (this.#used) this.#stream.cancel().catch(() => {});
    }
    return this.#stream;
  }
  get bodyUsed() {
    if (this.#used) return this.#source !== null;
    const stream = this.#given();
    return stream !== null && isDisturbed(stream);
  }

  text() {
    const source = this.#source;
    if (typeof source === 'string' && !this.#used && this.#stream === null) {
      this.#used = true;
      return Promise.resolve(plainText(source));
    }
    return this.#consume(decode);
  }
  json() {
    return this.#consume(parseJson);
  }
  arrayBuffer() {
    return this.#consume(exactBuffer);
  }
  bytes() {
    return this.#consume((bytes, owned) => new Uint8Array(exactBuffer(bytes, owned)));
  }
  blob() {
    return this.#consume((bytes) => new Blob([bytes], { type: mimeType(this.headers) }));
  }
  textStream() {
    const stream = this.#usable() ? this.body : null;
    if (stream === null && this.#source !== null) throw new TypeError(unusable);
    return (stream ?? streamOf('')).pipeThrough(new TextDecoderStream());
  }
  formData() {
    const type = this.headers.get('content-type');
    const headers = type === null ? {} : { 'content-type': type };
    return this.#consume((bytes) => new (native('Response'))(bytes, { headers }).formData());
  }

  async #consume(convert) {
    const source = this.#take();
    const bytes = collect(source);
    const owned = source === null || typeof source === 'string' || source.isFeed === true;
    return isUint8Array(bytes) ? convert(bytes, owned) : convert(await bytes, owned || !isUint8Array(source));
  }

  /** The stream that this body is, if it is one. */
  #given() {
    if (this.#stream !== null) return this.#stream;
    const source = this.#source;
    return typeof source === 'object' && source !== null && !isUint8Array(source) && source instanceof ReadableStream
      ? source : null;
  }
  #usable() {
    if (this.#used) return this.#source === null;
    const stream = this.#given();
    return stream === null || !(stream.locked || isDisturbed(stream));
  }
  #take() {
    if (!this.#usable()) throw new TypeError(unusable);
    this.#used = true;
    return this.#stream ?? this.#source;
  }

  static {
    usable = (body) => body.#usable();
    hasBody = (body) => body.#source !== null;
    takeSource = (body) => body.#take();
    setSource = (body, source) => { body.#source = source; };
    // For clone(): a source for the copy; this body keeps the other branch.
    teeSource = (body) => {
      if (!body.#usable()) throw new TypeError('Response.clone: Body has already been consumed.');
      const source = body.#source;
      if (source === null || (body.#stream === null && (typeof source === 'string' || isUint8Array(source) ||
          source instanceof Blob || (source.isFeed && source.complete)))) return source;
      const [ours, theirs] = body.body.tee();
      body.#stream = ours;
      return theirs;
    };
  }
}

function parseJson(bytes) {
  return JSON.parse(decode(bytes));
}

/** What a round through UTF-8 makes of a string. */
function plainText(text) {
  return /^\ufeff|[\ud800-\udfff]/.test(text) ? decode(encoder.encode(text)) : text;
}

function mimeType(headers) {
  const value = headers.get('content-type');
  if (value === null) return '';
  try {
    return String(new MIMEType(value));
  } catch {
    return '';
  }
}

for (const name of ['body', 'bodyUsed', 'text', 'json', 'arrayBuffer', 'bytes', 'blob', 'formData', 'textStream'])
  Object.defineProperty(Body.prototype, name, { enumerable: true });

module.exports = {
  Body,
  sourceOf,
  /** The content type of what sourceOf last returned, or null. */
  sourceType: () => sourceType,
  usable,
  hasBody,
  /** All bytes of a source: a Uint8Array, or a promise of one. */
  collect,
  /** Mark the body as read and return what it was made of. Throws when it was read before. */
  takeSource,
  /** A source for a copy of the body; the body itself stays readable. */
  teeSource,
  setSource,
};
