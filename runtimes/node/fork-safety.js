'use strict';
// Randomness that a fork would copy: every instance must draw its own. Until `unfrozen()` is called in an
// instance nothing may be drawn from a cache; after every fork the generators begin anew.

const crypto = require('crypto');
const Module = require('module');

const { randomUUID, randomInt, randomFillSync, randomFill, randomBytes } = crypto;

let frozen = true;  // this process may be forked

// --- Math.random: xoshiro128**, two draws for the 53 bits of a double

const seeds = new Uint32Array(4);
let seeded = false;
let a = 0, b = 0, c = 0, d = 0;

function seed() {
  do randomFillSync(seeds); while ((seeds[0] | seeds[1] | seeds[2] | seeds[3]) === 0);
  [a, b, c, d] = new Int32Array(seeds.buffer);
  seeded = true;
}

function draw() {
  const x = Math.imul(b, 5);
  const result = Math.imul((x << 7) | (x >>> 25), 9);
  const t = b << 9;
  c ^= a;
  d ^= b;
  b ^= c;
  a ^= d;
  c ^= t;
  d = (d << 11) | (d >>> 21);
  return result;
}

function random() {
  if (!seeded) seed();
  return ((draw() >>> 5) * 0x4000000 + (draw() >>> 6)) / 0x20000000000000;
}

// --- crypto: what fills a cache on first use does not while the process may be forked

function uuidUncached(options) {
  return frozen ? randomUUID({ ...options, disableEntropyCache: true }) : randomUUID(options);
}

function intUncached(min, max, callback) {
  if (!frozen) return randomInt(min, max, callback);
  const single = max === undefined || typeof max === 'function';
  const low = single ? 0 : min, high = single ? min : max, done = single ? max : callback;
  const range = high - low;
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || !(range > 0 && range <= 0xffffffffffff) ||
      (done !== undefined && typeof done !== 'function')) return randomInt(min, max, callback);  // throws
  const limit = 0x1000000000000 - (0x1000000000000 % range);
  let value;
  do value = randomBytes(6).readUIntBE(0, 6); while (value >= limit);
  if (done === undefined) return low + (value % range);
  process.nextTick(done, undefined, low + (value % range));
}

// --- Pools of random bytes that packages keep (nanoid, uuid): filled in place while init ran, they would
// be the same in every instance. They are filled again. Keys are shorter than that and stay.

const poolSize = 128;
let pools = [];

function remember(buffer) {
  if (frozen && buffer?.byteLength >= poolSize) pools.push(new WeakRef(buffer));
}

function fillSync(buffer, offset, size) {
  remember(buffer);
  return randomFillSync(buffer, offset, size);
}
function fill(buffer, ...rest) {
  remember(buffer);
  return randomFill(buffer, ...rest);
}

function patchWebCrypto(webcrypto) {
  const prototype = Object.getPrototypeOf(webcrypto);
  const { getRandomValues, randomUUID: original } = prototype;
  const patched = {
    getRandomValues(array) {
      remember(array);
      return Reflect.apply(getRandomValues, this, arguments);
    },
    randomUUID() {
      return frozen && this === webcrypto ? uuidUncached() : Reflect.apply(original, this, arguments);
    },
  };
  for (const name of Object.keys(patched)) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    if (descriptor) Object.defineProperty(prototype, name, { ...descriptor, value: patched[name] });
  }
}

function define(object, name, value) {
  Object.defineProperty(value, 'name', { value: name });
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

/** Once, before any user code. */
function install() {
  Object.defineProperty(Math, 'random', { value: random, writable: true, configurable: true });
  define(crypto, 'randomUUID', uuidUncached);
  define(crypto, 'randomInt', intUncached);
  define(crypto, 'randomFillSync', fillSync);
  define(crypto, 'randomFill', fill);
  patchWebCrypto(crypto.webcrypto);
  if (globalThis.crypto === undefined)  // Node 18
    Object.defineProperty(globalThis, 'crypto', { value: crypto.webcrypto, configurable: true, writable: true });
  Module.syncBuiltinESMExports();
}

/** In every child, before any user code runs in it. `forkable`: it may itself be forked. */
function afterFork(forkable) {
  seeded = false;
  frozen = forkable;
  if (forkable) return;
  for (const pool of pools) {
    const buffer = pool.deref();
    if (buffer !== undefined) randomFillSync(buffer);
  }
  pools = [];
}

module.exports = { install, afterFork };
