'use strict';
// Sends an answer whose body comes in parts (a ReadableStream, a Blob, an async iterable), never more than
// the window of the connection takes.

const { isUint8Array } = require('util').types;

function readerOf(source) {
  if (source.isFeed) {
    const next = async () => {
      const value = await source.next();
      return { done: value === null, value };
    };
    return { next, cancel: async () => source.cancel() };
  }
  if (source instanceof Blob) source = source.stream();
  if (typeof source.getReader === 'function') {
    const reader = source.getReader();
    return { next: () => reader.read(), cancel: (reason) => reader.cancel(reason) };
  }
  const iterator = source[Symbol.asyncIterator]();
  return { next: () => iterator.next(), cancel: async (reason) => iterator.return?.(reason) };
}

function bytesOf(chunk) {
  if (isUint8Array(chunk) || typeof chunk === 'string') return chunk;
  throw new TypeError(`A response body must consist of Uint8Array chunks (got ${chunk === null ? 'null' : typeof chunk})`);
}

async function sendStream(invocation, status, head, source) {
  let reader = null;
  try {
    reader = readerOf(source);
    invocation.whenAborted((error) => { reader.cancel(error).catch(() => {}); });
    invocation.start(status, head);
    for (;;) {
      const { done, value } = await reader.next();
      if (done || invocation.aborted !== null) break;
      if (!invocation.write(bytesOf(value))) await invocation.writable();
    }
    invocation.end();
  } catch (error) {
    invocation.fail(error);
    reader?.cancel(error).catch(() => {});
  }
}

module.exports = { sendStream, readerOf };
