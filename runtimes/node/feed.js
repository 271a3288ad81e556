'use strict';
// Feed: a body that arrives in parts, of a request or of what a call answered. Every byte that was taken out gives the sender credit
// for another, so a handler that does not read holds the client back.

const bridge = require('./bridge.js');

class Feed {
  isFeed = true;
  complete = false;  // nothing more will come
  #id;
  #credit;           // the addon's function that gives credit
  #chunks = [];
  #error = null;
  #wake = null;      // called once when something has changed
  taken = false;     // something of it was read
  onCancel = null;   // called when its reader wants no more

  /** `first`: what came with the request itself, or undefined. */
  constructor(id, first, credit = 'requestCredit') {
    this.#id = id;
    this.#credit = credit;
    if (first !== undefined) this.#chunks.push(first);
  }

  /** The next part; null is the end. */
  push(chunk) {
    if (chunk === null) this.complete = true;
    else this.#chunks.push(chunk);
    this.#notify();
  }

  fail(error) {
    if (this.complete) return;
    this.complete = true;
    this.#error = error;
    this.#notify();
  }

  #notify() {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** A part if one is there, undefined if one may come, null at the end. Throws when the client has left. */
  take() {
    if (this.#error !== null) throw this.#error;
    this.taken = true;
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return this.complete ? null : undefined;
    if (!this.complete) bridge.addon[this.#credit](this.#id, chunk.byteLength);
    return chunk;
  }

  /** Call `wake` once, when something has changed. One waiter at a time. */
  whenChanged(wake) {
    this.#wake = wake;
  }

  async next() {
    for (;;) {
      const chunk = this.take();
      if (chunk !== undefined) return chunk;
      await new Promise((resolve) => { this.#wake = resolve; });
    }
  }

  cancel() {
    this.onCancel?.();
  }

  async collect() {
    const chunks = [];
    for (let chunk = await this.next(); chunk !== null; chunk = await this.next()) chunks.push(chunk);
    return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  }

  stream() {
    const feed = this;
    return new ReadableStream({
      type: 'bytes',
      async pull(controller) {
        const chunk = await feed.next();
        if (chunk !== null) {
          controller.enqueue(new Uint8Array(chunk));
          return;
        }
        controller.close();
        controller.byobRequest?.respond(0);
      },
      cancel() {
        feed.cancel();
      },
    }, { highWaterMark: 0 });
  }
}

module.exports = { Feed };
