'use strict';
// The argument of queue(batch, env, ctx), as Workers defines it: messages, and what is to become of each. The
// first call for a message counts; one for a message goes before one for the whole batch. What nothing was said
// of is acknowledged when the handler returns, and comes again when it throws.
// https://developers.cloudflare.com/queues/configuration/javascript-apis/

const { dataOf } = require('./cloud-event.js');

const acknowledged = Symbol('acknowledged');

/** {delay_s?} of what retry() was called with. */
function retryOf(options) {
  const seconds = options?.delaySeconds;
  if (seconds === undefined) return {};
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds < Infinity))
    throw new TypeError(`delaySeconds must be a number of seconds, not ${seconds}`);
  return { delay_s: Math.ceil(seconds) };
}

class Message {
  #batch;

  constructor(batch, delivery) {
    this.#batch = batch;
    this.id = delivery.id;
    this.timestamp = new Date(delivery.timestamp);
    this.attempts = delivery.attempts;
    this.attributes = delivery.attributes ?? {};
    this.body = dataOf(delivery);
  }
  ack() { this.#batch.decide(this.id, acknowledged); }
  retry(options) { this.#batch.decide(this.id, retryOf(options)); }
}

class MessageBatch {
  #decisions;

  constructor(delivered) {
    this.#decisions = new Decisions(delivered.messages);
    this.queue = delivered.queue;
    this.messages = delivered.messages.map((each) => new Message(this.#decisions, each));
  }
  ackAll() { this.#decisions.decideRest(acknowledged); }
  retryAll(options) { this.#decisions.decideRest(retryOf(options)); }

  /** For the bridge: the batch's Decisions. */
  static decisionsOf(batch) { return batch.#decisions; }
}

class Decisions {
  #ids;
  #each = new Map();  // id -> decision
  #rest;              // about all others

  constructor(messages) {
    this.#ids = messages.map(({ id }) => id);
  }
  decide(id, decision) {
    if (this.#rest === undefined && !this.#each.has(id)) this.#each.set(id, decision);
  }
  decideRest(decision) {
    this.#rest ??= decision;
  }
  get none() {
    return this.#rest === undefined && this.#each.size === 0;
  }
  /** What the daemon is told. `threw`: the handler did. */
  answer(threw) {
    const rest = this.#rest ?? (threw ? {} : acknowledged);
    const retry = [];
    for (const id of this.#ids) {
      const decision = this.#each.get(id) ?? rest;
      if (decision !== acknowledged) retry.push({ id, ...decision });
    }
    return retry.length === 0 ? {} : { retry };
  }
}

module.exports = { MessageBatch, decisionsOf: MessageBatch.decisionsOf };
