'use strict';
// Calls of functions while an invocation runs: each goes to the daemon, and its answer comes back in parts.

const { isUint8Array } = require('util').types;
const bridge = require('./bridge.js');
const { readerOf } = require('./answer-stream.js');
const { responseOf } = require('./fetch-response.js');
const { Feed } = require('./feed.js');

const calls = new Map();  // number -> call that is open
const kinds = { invoke: 1, next: 2, publish: 3 };

/** Why a call has no answer. `type` and `status` are those of the problem document that it would be. */
class CallError extends Error {
  name = 'CallError';
  constructor(message, type, status, details) {
    super(message);
    this.type = type;
    this.status = status;
    this.details = details;
  }
}

/** Those of `next`: the answer of what a decorator is around, if it does not catch them. */
const ofNext = new WeakSet();

/** The problem document that a CallError of `next` stands for, as a gateway passes it on, for this invocation; null: it is another error. */
function answerOf(error, invocation) {
  if (!(error instanceof CallError) || !ofNext.has(error)) return null;
  const details = Object.entries(error.details).map(([name, text]) => [name, numbers.has(name) ? Number(text) : text]);
  const { title, ...more } = Object.fromEntries(details);
  const detail = error.message === title ? {} : { detail: error.message };
  return { type: error.type, title, status: error.status, ...detail, ...more, invocation };
}
const numbers = new Set(['exitCode']);

class Call {
  #invocation;
  #isNext = false;
  #id = 0;
  #resolve;
  #reject;
  #feed = null;      // the answer's body, when it comes in parts
  #onWritable = null;
  #over = false;
  promise;

  constructor(invocation) {
    this.#invocation = invocation;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** `body`: a string, bytes, null, or anything that answer-stream.js reads. */
  begin(kind, name, { method, target, head, body, event = false }) {
    const whole = body === null || typeof body === 'string' || isUint8Array(body);
    const id = bridge.addon.call(this.#invocation.id, kinds[kind], name, method, target, head, whole ? body ?? undefined : undefined, whole, event);
    if (typeof id === 'string') throw new TypeError(`${kind === 'next' ? 'next' : `${kind} ${name}`}: ${id}`);
    this.#id = id;
    this.#isNext = kind === 'next';
    calls.set(id, this);
    this.#invocation.addCall(this);
    if (!whole) this.#send(body);
    return this.promise;
  }

  async #send(body) {
    let reader = null;
    try {
      reader = readerOf(body);
      for (;;) {
        const { done, value } = await reader.next();
        if (this.#over) {
          reader.cancel().catch(() => {});
          return;
        }
        if (done) break;
        if (!bridge.addon.callBody(this.#id, value)) await new Promise((resolve) => { this.#onWritable = resolve; });
      }
      bridge.addon.callEnd(this.#id);
    } catch (error) {
      this.fail(error);
    }
  }

  #end() {
    this.#over = true;
    calls.delete(this.#id);
    this.#invocation.removeCall(this);
    this.#onWritable?.();
  }

  // --- What the daemon says

  respond(status, head, chunk, more) {
    let source = chunk ?? null;
    if (more) {
      source = this.#feed = new Feed(this.#id, chunk, 'callCredit');
      source.onCancel = () => this.fail(new DOMException('The body was cancelled', 'AbortError'));
    } else {
      this.#end();
    }
    this.#resolve(responseOf(status, head, source));
  }
  push(chunk) {
    if (chunk === null) this.#end();
    this.#feed?.push(chunk);
  }
  opened() {
    const wake = this.#onWritable;
    this.#onWritable = null;
    wake?.();
  }
  failed(error) {
    this.#end();
    if (this.#isNext && error instanceof CallError) ofNext.add(error);
    if (this.#feed !== null) this.#feed.fail(error);
    else this.#reject(error);
  }

  // --- What happens here

  /** Nobody wants the answer, or the request's body broke off. */
  fail(error) {
    if (this.#over) return;
    bridge.addon.callAbort(this.#id);
    this.failed(error);
  }
}

function detailsOf(text) {
  const details = {};
  const parts = text.split('\0');
  for (let i = 0; i + 1 < parts.length; i += 2) details[parts[i]] = parts[i + 1];
  return details;
}

/** Callbacks of the addon. */
const callbacks = {
  onCallResponse(id, status, head, chunk, more) { calls.get(id)?.respond(status, head, chunk, more); },
  onCallBody(id, chunk) { calls.get(id)?.push(chunk); },
  onCallWritable(id) { calls.get(id)?.opened(); },
  onCallError(id, status, type, message, details) {
    calls.get(id)?.failed(new CallError(message, type, status, detailsOf(details)));
  },
};

/** Resolves with a Response. Rejects with a CallError, or what an aborted invocation rejects with. */
function call(invocation, kind, name, parts, signal = null) {
  signal?.throwIfAborted();
  const made = new Call(invocation);
  const promise = made.begin(kind, name, parts);
  signal?.addEventListener('abort', () => made.fail(signal.reason), { once: true });
  return promise;
}

module.exports = { call, callbacks, CallError, answerOf };
