'use strict';
// The Workers form: `export default { fetch(request, env, ctx) }`, an object with a fetch method (Hono,
// itty-router), a class of such objects, or a plain function of a request.

const { isUint8Array } = require('util').types;
const { requestOf } = require('./fetch-request.js');
const { isResponse, isNullBody, responseHead, isNativeResponse, withoutEncoding } = require('./fetch-response.js');
const { takeSource } = require('./fetch-body.js');
const { headText } = require('./fetch-headers.js');
const { sendStream } = require('./answer-stream.js');
const { Context, environmentOf } = require('./context.js');

let target = null;  // what has the fetch method
let construct = null;
let Env = null;     // the class of `env`

function send(invocation, response) {
  if (!isResponse(response)) {
    sendForeign(invocation, response);
    return;
  }
  const status = response.status;
  const source = takeSource(response);
  sendSource(invocation, status, responseHead(response), source);
}

function sendSource(invocation, status, head, source) {
  if (status < 200) throw new TypeError(`The handler returned a response with status ${status}`);
  if (invocation.method === 'HEAD' || isNullBody(status)) {
    sendWithoutBody(invocation, status, head, source);
  } else if (source === null || typeof source === 'string' || isUint8Array(source)) {
    invocation.respond(status, head, source);
  } else {
    sendStream(invocation, status, head, source);
  }
}

function sendWithoutBody(invocation, status, head, source) {
  // HEAD tells the length that GET would have.
  const known = typeof source === 'string' || isUint8Array(source);
  if (known && !isNullBody(status) && !/(?:^|\0)content-length\0/.test(head))
    head += 'content-length\0' + Buffer.byteLength(source) + '\0';
  if (source instanceof ReadableStream) source.cancel().catch(() => {});
  else if (source?.isFeed) source.cancel();
  invocation.respond(status, head, undefined);
}

/** Node's own Response (from fetch), or that of a package. */
function sendForeign(invocation, response) {
  if (response === null || typeof response !== 'object' || typeof response.status !== 'number' ||
      typeof response.headers?.entries !== 'function') {
    const what = response === null ? 'null' : Array.isArray(response) ? 'an array' : typeof response;
    throw new TypeError(`The handler did not return a Response (it returned ${what})`);
  }
  if (response.bodyUsed) throw new TypeError('The body of the Response that the handler returned was read before');
  const headers = isNativeResponse(response) ? withoutEncoding(response) : response.headers;
  sendSource(invocation, response.status, headText([...headers.entries()]), response.body ?? null);
}

async function settle(invocation, promise) {
  try {
    send(invocation, await promise);
  } catch (error) {
    invocation.fail(error);
  }
}

function call(invocation) {
  if (construct === null) return target.fetch(requestOf(invocation), new Env(invocation), new Context(invocation));
  return new construct(new Context(invocation), new Env(invocation)).fetch(requestOf(invocation));
}

function serve(invocation) {
  try {
    const answer = call(invocation);
    if (typeof answer?.then === 'function') settle(invocation, answer);
    else send(invocation, answer);
  } catch (error) {
    invocation.fail(error);
  }
}

/** `handler`: as described above. Returns what serves an invocation; it never throws. */
function start(handler, configuration) {
  Env = environmentOf(configuration);
  construct = typeof handler === 'function' && typeof handler.prototype?.fetch === 'function' ? handler : null;
  target = typeof handler === 'function' && typeof handler.fetch !== 'function' ? { fetch: handler } : handler;
  return serve;
}

module.exports = { start };
