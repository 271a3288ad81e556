'use strict';
// The Lambda form: `handler(event, context)` returning a promise or a value, or calling a callback.

const { isUint8Array } = require('util').types;
const { collect } = require('./fetch-body.js');
const { isNullBody } = require('./fetch-response.js');
const { eventOf } = require('./lambda-event.js');
const { answerOf } = require('./lambda-answer.js');
const { ResponseStream, streamed } = require('./lambda-stream.js');
const { Platform } = require('./platform.js');

let handler = null;
let configuration = null;

class Context extends Platform {
  #invocation;
  #settle;
  callbackWaitsForEmptyEventLoop = true;

  constructor(invocation, settle) {
    super(invocation);
    this.#invocation = invocation;
    this.#settle = settle;
    this.functionName = configuration.function;
    this.functionVersion = String(configuration.version ?? '$LATEST');
    this.invokedFunctionArn = `mayfly:${this.functionName}@${this.functionVersion}`;
    this.memoryLimitInMB = String(Math.floor((configuration.memory ?? 128 * 2 ** 20) / 2 ** 20));
    this.awsRequestId = invocation.invocationId;
    this.logGroupName = `/mayfly/${this.functionName}`;
    this.logStreamName = this.functionVersion;
  }
  getRemainingTimeInMillis() { return this.#invocation.remainingTime(); }
  done(error, result) { this.#settle(error ?? null, result); }
  succeed(result) { this.#settle(null, result); }
  fail(error) { this.#settle(error ?? new Error('context.fail() was called'), undefined); }
}

function send(invocation, result) {
  if (invocation.isEvent) {
    invocation.respond(200, 'content-type\0application/json\0', JSON.stringify(result ?? null));
    return;
  }
  const { status, head, body } = answerOf(result);
  const bare = invocation.method === 'HEAD' || isNullBody(status);
  invocation.respond(status, head, bare ? undefined : body);
}

function settle(invocation, error, result) {
  if (error !== null && error !== undefined) {
    invocation.fail(error);
    return;
  }
  try {
    send(invocation, result);
  } catch (failure) {
    invocation.fail(failure, !invocation.isEvent);
  }
}

/** The event, from the bytes of the body (null: there is none). */
function eventFor(invocation, bytes) {
  if (!invocation.isEvent) return eventOf(invocation, bytes);
  if (bytes === null || bytes.byteLength === 0) return {};
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch (error) {
    throw new SyntaxError(`The payload is not JSON, as an event must be: ${error.message}`);
  }
}

function call(invocation, bytes) {
  invoke(invocation, eventFor(invocation, bytes), (error, result) => settle(invocation, error, result));
}

/**
 * Calls the handler. `settled(error, result)` is told how it went, by a handler that streams its answer
 * `invocation` itself. Throws what the handler throws.
 */
function invoke(invocation, event, settled) {
  const context = new Context(invocation, settled);
  if (handler[streamed]) {
    const stream = new ResponseStream(invocation);
    Promise.resolve(handler(event, stream, context)).catch((error) => { stream.destroy(error); });
    return;
  }
  const result = handler(event, context, settled);
  if (typeof result?.then === 'function') result.then((value) => settled(null, value), (error) => settled(error ?? new Error(`Rejected with ${error}`)));
  // Without a promise the callback answers, if the handler takes one or used the context.
  else if (result !== undefined || (handler.length < 3 && !/\bcontext\.(?:done|succeed|fail)\b/.test(source()))) settled(null, result);
}

let handlerSource = null;
function source() {
  return handlerSource ?? (handlerSource = Function.prototype.toString.call(handler));
}

async function callWithBody(invocation, bytes) {
  try {
    call(invocation, await bytes);
  } catch (error) {
    invocation.fail(error);
  }
}

function serve(invocation) {
  try {
    const body = invocation.bodySource();
    const bytes = body === null ? null : collect(body);
    if (bytes === null || isUint8Array(bytes)) call(invocation, bytes);
    else callWithBody(invocation, bytes);
  } catch (error) {
    invocation.fail(error);
  }
}

/** Returns what serves an invocation; it never throws. */
function start(lambda, config) {
  handler = lambda;
  handlerSource = null;
  configuration = config;
  return serve;
}

module.exports = { start, invoke };
