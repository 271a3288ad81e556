'use strict';
// Invocation: one request or event that this instance serves, from the frame that brought it until its
// slot is free again. Handler forms answer through it; nothing else talks to the addon about a stream.

const bridge = require('./bridge.js');
const { textHas } = require('./fetch-headers.js');
const { Feed } = require('./feed.js');
const { cleanStack } = require('./errors.js');
const { answerOf } = require('./call.js');

let lastHost = null, lastScheme = null, lastOrigin = null;

/** "scheme://host" in the form that URLs have; kept for the host that was last asked for. */
function originOf(scheme, host) {
  if (host === lastHost && scheme === lastScheme) return lastOrigin;
  let origin;
  try {
    origin = new URL(`${scheme}://${host}`).origin;
  } catch {
    origin = `${scheme}://localhost`;
  }
  lastHost = host;
  lastScheme = scheme;
  lastOrigin = origin;
  return origin;
}

// Targets that a URL parser leaves as they are: no dot segments, nothing to escape.
const plainTarget = /^\/(?!\/)(?:[\w\-~!$&()*+,;=:@?/]|\.(?!\.?(?:[/?]|$))|%(?!2e)[\da-f]{2})*$/i;

class Invocation {
  aborted = null;   // "client" or "deadline", once the answer is wanted no more
  finished = false; // the slot is free
  headSent = false;
  onFinished = null; // set by serve.js when the handler returned before the slot was free
  #feed = null;
  #waits = 0;
  #answered = false;
  #parts = null;    // info, split
  #controller = null;
  #onAbort = null;
  #onWritable = null;
  #calls = null;    // open ones, in the order in which they began

  constructor(id, method, target, head, chunk, more, info) {
    this.id = id;
    this.method = method;
    this.target = target;
    this.head = head;
    this.chunk = chunk;
    this.info = info;
    if (more) this.#feed = new Feed(id, chunk);
  }

  // --- What came in

  #part(i) {
    return (this.#parts ?? (this.#parts = this.info.split('\0')))[i];
  }
  get invocationId() { return this.#part(0); }
  /** Milliseconds since the epoch. */
  get deadline() { return Number(this.#part(1)); }
  get remoteAddress() { return this.#part(2); }
  get scheme() { return this.#part(3); }
  get traceparent() { return this.#part(4); }
  get isEvent() { return this.info.endsWith('\0event'); }
  /** "queue" or "schedule" of a delivery (docs/wire.md). Requests can have such a header, but are no events. */
  get eventKind() {
    const kind = this.isEvent ? this.header('mayfly-event') : undefined;
    return kind === 'queue' || kind === 'schedule' ? kind : undefined;
  }
  remainingTime() { return Math.max(0, this.deadline - Date.now()); }

  /** The body as fetch-body.js keeps it: null, bytes, or a feed. */
  bodySource() {
    return this.#feed ?? this.chunk ?? null;
  }
  get feed() { return this.#feed; }

  /** From here on it is this request, for which what came in has been read. `chunk`: the whole body, or undefined. */
  become(method, target, head, chunk) {
    this.method = method;
    this.target = target;
    this.head = head;
    this.chunk = chunk;
    this.#feed = null;
  }

  header(name) {
    if (!textHas(this.head, name)) return undefined;
    const parts = this.head.split('\0');
    for (let i = 0; i + 1 < parts.length; i += 2) if (parts[i] === name) return parts[i + 1];
  }

  url() {
    const origin = originOf(this.scheme, this.header('host') ?? 'localhost');
    const target = this.target;
    if (plainTarget.test(target)) return origin + target;
    try {
      return target.startsWith('/') ? new URL(origin + target).href : new URL(target).href;
    } catch {
      return origin + '/';
    }
  }

  signal() {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.aborted !== null) this.#controller.abort(this.abortError());
    }
    return this.#controller.signal;
  }

  // --- Answers

  /** The whole answer: `head` as text, `body` a string, Uint8Array or undefined. */
  respond(status, head, body) {
    if (this.#answered) return;
    this.headSent = this.#answered = true;
    if (this.#waits > 0) {
      bridge.addon.respond(this.id, status, head, body, false);
      return;
    }
    this.finished = true;
    this.#endCalls();
    bridge.addon.respond(this.id, status, head, body, true);
    this.onFinished?.();
  }
  start(status, head) {
    this.headSent = true;
    bridge.addon.respondStart(this.id, status, head);
  }
  /** False when the window is full: wait for writable(). */
  write(chunk) {
    return this.aborted !== null || bridge.addon.respondChunk(this.id, chunk);
  }
  /** Resolves when the window has opened, or when nobody wants the answer. */
  writable() {
    return new Promise((resolve) => { this.#onWritable = resolve; });
  }
  whenWritable(callback) {
    this.#onWritable = callback;
  }
  end() {
    if (this.#answered) return;
    bridge.addon.respondEnd(this.id);
    this.#settle();
  }
  /** The handler threw, or a body that was on its way did, or what it gave for an answer is none. */
  fail(error, answerIsNone = false) {
    if (this.#answered) return;
    const problem = this.headSent || answerIsNone ? null : answerOf(error, this.invocationId);
    if (problem !== null) {
      bridge.addon.log('error', `next failed, and this was not caught: ${cleanStack(error)}`, this.id);
      const body = this.method === 'HEAD' ? undefined : JSON.stringify(problem);
      this.respond(problem.status, 'content-type\0application/problem+json\0cache-control\0no-store\0', body);
      return;
    }
    const isError = error !== null && typeof error === 'object' && 'stack' in error;
    const message = isError ? `${error.name ?? 'Error'}: ${error.message}` : `Thrown: ${String(error)}`;
    bridge.addon.respondError(this.id, this.headSent || answerIsNone ? 'stream' : 'throw', message, cleanStack(error));
    this.#settle();
  }
  #settle() {
    this.#answered = true;
    if (this.#waits === 0) this.#finish();
  }
  #finish() {
    if (this.finished) return;
    this.finished = true;
    this.#endCalls();
    bridge.addon.done(this.id);
    this.onFinished?.();
  }

  /** Keep the slot until the promise is settled. */
  waitUntil(promise) {
    ++this.#waits;
    const settled = () => {
      if (--this.#waits === 0 && this.#answered) this.#finish();
    };
    Promise.resolve(promise).then(settled, (error) => {
      bridge.addon.log('error', `waitUntil: ${cleanStack(error)}`, this.finished ? 0 : this.id);
      settled();
    });
  }

  // --- Calls of functions (call.js)

  addCall(call) {
    (this.#calls ??= new Set()).add(call);
  }
  removeCall(call) {
    this.#calls.delete(call);
  }
  /** They end with their caller. */
  #endCalls(error = null) {
    if (this.#calls === null || this.#calls.size === 0) return;
    const reason = error ?? new DOMException('The invocation that called is over', 'AbortError');
    for (const call of [...this.#calls]) call.fail(reason);
  }

  // --- What the daemon says later

  abortError() {
    return this.aborted === 'deadline'
      ? new DOMException('The deadline of the invocation has passed', 'TimeoutError')
      : new DOMException('The client has left', 'AbortError');
  }
  abort(reason) {
    if (this.aborted !== null) return;
    this.aborted = reason;
    const error = this.abortError();
    this.#feed?.fail(error);
    this.#controller?.abort(error);
    this.#onAbort?.(error);
    this.#endCalls(error);
    this.opened();
  }
  /** One callback when the answer is wanted no more. */
  whenAborted(callback) {
    this.#onAbort = callback;
    if (this.aborted !== null) callback(this.abortError());
  }
  opened() {
    const wake = this.#onWritable;
    this.#onWritable = null;
    wake?.();
  }
}


module.exports = { Invocation };
