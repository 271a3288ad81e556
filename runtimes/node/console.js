'use strict';
// What the code prints becomes log lines: console, process.stdout and process.stderr end in addon.log.

const { Writable } = require('stream');
const bridge = require('./bridge.js');

const maxPartial = 64 * 1024;  // characters of a line that waits for its end

let currentInvocation = () => 0;
let level = null;  // of the console method that is being called, when its stream does not tell

class LogStream extends Writable {
  #level;
  #partial = '';
  #partialOf = 0;  // the invocation that began it

  constructor(fd, defaultLevel) {
    super({ decodeStrings: false });
    this.fd = fd;
    this.#level = defaultLevel;
  }
  get isTTY() { return false; }
  get _type() { return 'pipe'; }

  // One call is one entry, however many lines it has: a stack stays together. What follows the last line
  // end waits for the rest of its line.
  _write(chunk, encoding, callback) {
    const text = this.#partial + (typeof chunk === 'string' ? chunk : chunk.toString());
    const end = text.lastIndexOf('\n');
    this.#partial = end === text.length - 1 ? '' : text.slice(end + 1);
    const invocation = currentInvocation();
    if (end !== -1) this.#log(text.slice(0, end), invocation);
    this.#partialOf = invocation;
    if (this.#partial.length > maxPartial) this.flush();
    callback();
  }
  #log(text, invocation) {
    bridge.addon.log(level ?? this.#level, text, invocation);
  }
  flush() {
    if (this.#partial === '') return;
    const text = this.#partial;
    this.#partial = '';
    this.#log(text, this.#partialOf);
  }
  // process.stdout and process.stderr cannot be closed.
  _destroy(error, callback) { callback(error); }
  _final(callback) {
    this.flush();
    callback();
  }
}

const stdout = new LogStream(1, 'info');
const stderr = new LogStream(2, 'error');

function withLevel(method, its) {
  const original = console[method];
  console[method] = function (...args) {
    level = its;
    try {
      original.apply(this, args);
    } finally {
      level = null;
    }
  };
  Object.defineProperty(console[method], 'name', { value: method });
}

/** Replace the streams; must come before anything is printed. `current` tells the running invocation. */
function install(current) {
  currentInvocation = current;
  for (const [name, stream] of [['stdout', stdout], ['stderr', stderr]])
    Object.defineProperty(process, name, { get: () => stream, configurable: true, enumerable: true });
  withLevel('debug', 'debug');
  withLevel('warn', 'warn');
}

/** Log lines that were begun and not ended. */
function flush() {
  stdout.flush();
  stderr.flush();
}

module.exports = { install, flush };
