'use strict';
// MessageInvocation: one message of a delivery as an invocation of its own, for a handler form that knows
// requests only. What it answers ends there, except that the only message of a delivery hands on an answer
// that tells a failure: status and body are kept as what the delivery came to.

const { Invocation } = require('./invocation.js');
const { textHas } = require('./fetch-headers.js');

/** Seconds that Retry-After asks for, if it does. */
function retryAfterOf(head) {
  if (!textHas(head, 'retry-after')) return undefined;
  const parts = head.split('\0');
  const value = parts[parts.findIndex((name, i) => i % 2 === 0 && name === 'retry-after') + 1];
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

class MessageInvocation extends Invocation {
  #delivery;
  #alone;
  #status = 0;
  #retryAfter;
  #over;
  #resolve;

  /** `request`: {head, body}; alone: the delivery (an Invocation) has no other message. */
  constructor(delivery, { head, body }, alone) {
    super(delivery.id, 'POST', '/', head, body, false, delivery.info.replace(/event$/, 'http'));
    this.#delivery = delivery;
    this.#alone = alone;
    this.#over = new Promise((resolve) => { this.#resolve = resolve; });
    delivery.whenAborted(() => { this.abort(delivery.aborted); });
  }

  /** Resolves when it was answered: {status, retryAfter?, error?, told}. told: the delivery has its answer by that. */
  get over() { return this.#over; }

  #head(status, head) {
    this.headSent = true;
    this.#status = status;
    if (status === 429 || status === 503) this.#retryAfter = retryAfterOf(head);
  }
  get #handedOn() { return this.#alone && this.#status >= 400; }
  #end(error) {
    this.finished = true;
    const told = this.#alone && (error !== undefined || this.#status >= 400);
    this.#resolve({ status: this.#status, retryAfter: this.#retryAfter, error, told });
  }

  respond(status, head, body) {
    if (this.finished) return;
    this.#head(status, head);
    if (this.#handedOn) this.#delivery.respond(status, head, body);
    this.#end();
  }
  start(status, head) {
    this.#head(status, head);
    if (this.#handedOn) this.#delivery.start(status, head);
  }
  write(chunk) {
    return this.#handedOn ? this.#delivery.write(chunk) : true;
  }
  writable() {
    return this.#delivery.writable();
  }
  whenWritable(callback) {
    this.#delivery.whenWritable(callback);
  }
  end() {
    if (this.finished) return;
    if (this.#handedOn) this.#delivery.end();
    this.#end();
  }
  fail(error) {
    if (this.finished) return;
    if (this.#alone) this.#delivery.fail(error);
    this.#end(error ?? new Error(`Thrown: ${error}`));
  }
  waitUntil(promise) {
    this.#delivery.waitUntil(promise);
  }
}

module.exports = { MessageInvocation };
