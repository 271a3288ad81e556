'use strict';
// What a handler of the Workers form gets beside its request or event: `env` and `ctx`.

const { Platform } = require('./platform.js');
const { queryOf } = require('./query.js');

class Context {
  #invocation;
  props = {};
  constructor(invocation) {
    this.#invocation = invocation;
  }
  waitUntil(promise) { this.#invocation.waitUntil(promise); }
  passThroughOnException() {}
  get invocationId() { return this.#invocation.invocationId; }
  /** What stands in the places of a route's placeholders: {id: '7'} for "/users/:id". */
  get params() { return queryOf(this.#invocation.header('mayfly-path-parameters') ?? ''); }
  /** When the invocation must have ended. */
  get deadline() { return new Date(this.#invocation.deadline); }
  getRemainingTimeInMillis() { return this.#invocation.remainingTime(); }
}

/** ctx of an event: how the event went is told when all that waitUntil() was given has ended. */
class EventContext extends Context {
  #promises = [];
  waitUntil(promise) {
    super.waitUntil(promise);
    this.#promises.push(promise);
  }
  /** Resolves when nothing is left; rejects, then too, with the first failure. */
  async settled() {
    const failures = [];
    while (this.#promises.length > 0) {
      const results = await Promise.allSettled(this.#promises.splice(0));
      failures.push(...results.filter(({ status }) => status === 'rejected'));
    }
    if (failures.length > 0) throw failures[0].reason;
  }
}

/** The class of `env`: made for an invocation, it has the function's environment, and the platform behind that. */
function environmentOf({ env }) {
  const names = Object.keys(env);
  const hidden = names.filter((name) => name in Platform.prototype);
  const plain = names.filter((name) => !hidden.includes(name));
  return class Env extends Platform {
    constructor(invocation) {
      super(invocation);
      for (let i = 0; i < plain.length; ++i) this[plain[i]] = env[plain[i]];
      for (const name of hidden) Object.defineProperty(this, name, { value: env[name], enumerable: true, writable: true, configurable: true });
    }
  };
}

module.exports = { Context, EventContext, environmentOf };
