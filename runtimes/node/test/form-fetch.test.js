'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');

test('hello: one frame, slot freed once', async (t) => {
  const runtime = start(t, `export default { fetch(request) { return new Response('hello ' + request.method + ' ' + request.url); } }`);
  assert.strictEqual((await runtime.ready()).form, 'fetch');
  const answer = await runtime.get('/a?b=1');
  assert.strictEqual(answer.status, 200);
  assert.strictEqual(answer.text, 'hello GET http://example.com/a?b=1');
  assert.strictEqual(answer.header('content-type'), 'text/plain;charset=UTF-8');
  assert.strictEqual(answer.done, 1);
  await runtime.get('/');
  assert.deepStrictEqual(runtime.events.filter(({ event }) => event === 'log'), []);
});
