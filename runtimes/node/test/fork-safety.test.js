'use strict';
// Randomness across forks. The fake addon does not fork, so a "fork" here is: look at what the caches hold
// before and after the template becomes an instance. That two real forks differ is an integration test.

const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');
const { spawnSync } = require('child_process');
const path = require('path');

function inNode(source) {
  const safety = JSON.stringify(path.join(__dirname, '..', 'fork-safety.js'));
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', `const assert = require('assert'); const load = () => require(${safety}); ${source}`]);
  assert.strictEqual(status, 0, String(stderr));
  return String(stdout);
}

test('Math.random begins anew after every fork and looks random', () => {
  inNode(`
    const crypto = require('crypto'); let seeds = 0;
    const original = crypto.randomFillSync; crypto.randomFillSync = (b) => { ++seeds; return original(b); };
    const safety = load(); safety.install();
    Math.random(); Math.random();
    assert.strictEqual(seeds, 1);
    safety.afterFork(true); Math.random(); Math.random();
    assert.strictEqual(seeds, 2);
    safety.afterFork(false); const seen = new Set(); let sum = 0; const buckets = new Array(16).fill(0);
    for (let i = 0; i < 100000; ++i) { const x = Math.random(); assert.ok(x >= 0 && x < 1); seen.add(x); sum += x; ++buckets[Math.floor(x * 16)]; }
    assert.strictEqual(seeds, 3);
    assert.strictEqual(seen.size, 100000);
    assert.ok(Math.abs(sum / 100000 - 0.5) < 0.01);
    const chi = buckets.reduce((s, n) => s + (n - 6250) ** 2 / 6250, 0); assert.ok(chi < 60, String(chi));
    assert.ok([...seen].some((x) => (x * 2 ** 53) % 2 === 1));`);
});

test('crypto: nothing is cached while the process may be forked', () => {
  inNode(`
    const safety = load(); safety.install(); const crypto = require('crypto');
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    for (const forkable of [true, false]) {
      safety.afterFork(forkable);
      assert.match(crypto.randomUUID(), uuid); assert.match(globalThis.crypto.randomUUID(), uuid);
      const seen = new Set(); for (let i = 0; i < 500; ++i) { const n = crypto.randomInt(3, 10); assert.ok(n >= 3 && n < 10 && Number.isInteger(n)); seen.add(n); }
      assert.strictEqual(seen.size, 7);
      assert.ok(crypto.randomInt(5) < 5);
      crypto.randomInt(5, (error, n) => assert.ok(!error && n < 5)); crypto.randomInt(2, 5, (error, n) => assert.ok(!error && n >= 2 && n < 5));
      for (const bad of [[], [0], [5, 5], [5, 3], ['a'], [1.5], [0, 2 ** 48], [1, 2, 3]]) assert.throws(() => crypto.randomInt(...bad), /ERR_|RangeError|TypeError/, String(bad));
    }
    import('node:crypto').then(({ randomUUID, randomInt, default: d }) => { assert.strictEqual(randomUUID, crypto.randomUUID); assert.strictEqual(randomInt, d.randomInt); });`);
});

test('randomInt draws what it needs before the fork, from its cache after it', () => {
  inNode(`
    const crypto = require('crypto'); const sizes = [];
    const { randomBytes } = crypto; crypto.randomBytes = (n) => { sizes.push(n); return randomBytes(n); };
    const safety = load(); safety.install(); safety.afterFork(true); crypto.randomInt(1000);
    assert.deepStrictEqual(sizes.filter((n) => n === 6).length >= 1, true);
    safety.afterFork(false); sizes.length = 0; crypto.randomInt(1000); assert.deepStrictEqual(sizes, []);`);
});

test('pools of random bytes filled during init are filled again, keys are not', () => {
  inNode(`
    const safety = load(); safety.install(); safety.afterFork(true); const crypto = require('crypto');
    const pools = [crypto.randomFillSync(new Uint8Array(256)), globalThis.crypto.getRandomValues(new Uint8Array(2048)),
      crypto.webcrypto.getRandomValues(Buffer.alloc(128)), crypto.getRandomValues?.(new Uint8Array(128)) ?? crypto.randomFillSync(Buffer.alloc(200))];
    const key = crypto.randomFillSync(Buffer.alloc(32)); const before = pools.map((p) => Buffer.from(p).toString('hex')); const keyBefore = key.toString('hex');
    safety.afterFork(false);
    pools.forEach((p, i) => assert.notStrictEqual(Buffer.from(p).toString('hex'), before[i], String(i)));
    assert.strictEqual(key.toString('hex'), keyBefore);
    const later = crypto.randomFillSync(Buffer.alloc(256)).toString('hex'); safety.afterFork(false);`);
});

test('the code of a function meets these, by every way of importing', async (t) => {
  const runtime = start(t, `import { randomUUID } from 'node:crypto'; import crypto from 'crypto'; const { random } = Math;
    const early = [randomUUID(), crypto.randomUUID(), globalThis.crypto.randomUUID(), random()];
    export default { fetch() { return Response.json([...early, randomUUID(), globalThis.crypto.randomUUID(), random(), Math.random(), random.toString().includes('native')]); } }`);
  const { json } = await runtime.get('/');
  assert.strictEqual(new Set(json.slice(0, 8)).size, 8);
  assert.strictEqual(json[8], false);
});
