'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');

test('a plain (req, res) handler: what it sees and what it says', async (t) => {
  const runtime = start(t, `export default (req, res) => {
    res.setHeader('X-A', ['1', '2']);
    res.setHeader('Set-Cookie', ['a=1', 'b=2']);
    res.writeHead(201, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ method: req.method, url: req.url, agent: req.headers['user-agent'], raw: req.rawHeaders, version: req.httpVersion,
      ip: req.socket.remoteAddress, encrypted: req.connection.encrypted, is: req instanceof (globalThis.R ?? Object) }));
  };`);
  assert.strictEqual((await runtime.ready()).form, 'express');
  const answer = await runtime.get('/a?b=1', { headers: { 'user-agent': 'me' } });
  assert.strictEqual(answer.status, 201);
  assert.deepStrictEqual([answer.headers('x-a'), answer.headers('set-cookie'), answer.header('content-type')], [['1', '2'], ['a=1', 'b=2'], 'application/json']);
  assert.deepStrictEqual(answer.json, { method: 'GET', url: '/a?b=1', agent: 'me', raw: ['host', 'example.com', 'user-agent', 'me'],
    version: '1.1', ip: '192.0.2.1', encrypted: false, is: true });
  assert.strictEqual(answer.done, 1);
  for (const name of ['connection', 'transfer-encoding', 'date', 'keep-alive']) assert.strictEqual(answer.header(name), undefined);
  assert.deepStrictEqual(runtime.events.map(({ event }) => event), ['fork', 'ready', 'fork', 'serve', 'respond']);
});

test('the ways to write', async (t) => {
  const runtime = start(t, `import { Readable, pipeline } from 'node:stream';
    export default (req, res) => {
      const events = [];
      res.on('finish', () => console.log(req.url + ' finish ' + res.writableFinished));
      res.on('close', () => console.log(req.url + ' close'));
      if (req.url === '/raw') { res.writeHead(200, ['A', '1', 'A', '2', 'B', '3']); res.end(); }
      if (req.url === '/two') { res.write('a'); res.write(Buffer.from('b')); res.end('c'); }
      if (req.url === '/pipe') Readable.from(['x', 'y', 'z']).pipe(res);
      if (req.url === '/pipeline') pipeline(Readable.from(['x', 'y', 'z']), res, (error) => console.log('pipeline ' + error));
      if (req.url === '/latin1') res.end('\u00e9', 'latin1');
      if (req.url === '/204') { res.statusCode = 204; res.end(); }
      if (req.url === '/empty') res.end();
      if (req.url === '/length') { res.setHeader('content-length', 2); res.end('ab'); }
      if (req.url === '/flush') { res.flushHeaders(); setTimeout(() => res.end('later'), 5); }
      if (req.url === '/callback') res.write('a', () => res.end('b', () => console.log('ended')));
      if (req.url === '/after') { res.end('a'); res.on('error', (error) => console.log(error.code)); res.write('b'); }
      if (req.url === '/continue') { res.writeContinue(); res.writeProcessing?.(); res.end('a'); }
    };`);
  const text = async (target, method = 'GET') => (await runtime.request(method, target)).text;
  const raw = await runtime.get('/raw');
  assert.deepStrictEqual([raw.headers('a'), raw.header('b')], [['1', '2'], '3']);
  assert.strictEqual(await text('/two'), 'abc');
  assert.strictEqual(await text('/pipe'), 'xyz');
  assert.strictEqual(await text('/pipeline'), 'xyz');
  assert.deepStrictEqual((await runtime.get('/latin1')).body, Buffer.from([0xe9]));
  assert.strictEqual((await runtime.get('/204')).status, 204);
  assert.strictEqual(await text('/empty'), '');
  const length = await runtime.get('/length');
  assert.deepStrictEqual([length.text, length.header('content-length')], ['ab', '2']);
  const head = await runtime.request('HEAD', '/length');
  assert.deepStrictEqual([head.text, head.header('content-length'), head.done], ['', '2', 1]);
  const flush = runtime.begin('GET', '/flush');
  await runtime.until(() => flush.status === 200);
  assert.strictEqual(flush.done, 0);
  await runtime.finished(flush);
  assert.strictEqual(flush.text, 'later');
  assert.strictEqual(await text('/callback'), 'ab');
  assert.strictEqual(await text('/after'), 'a');
  assert.strictEqual(await text('/continue'), 'a');
  await runtime.get('/empty');
  const texts = runtime.logs.map((line) => line.text);
  for (const wanted of ['/two finish true', '/two close', 'pipeline undefined', 'ended', 'ERR_STREAM_WRITE_AFTER_END', '/pipe close'])
    assert.ok(texts.includes(wanted), `${wanted} in ${texts}`);
});

test('back-pressure: write() is false until drain', async (t) => {
  const runtime = start(t, `export default async (req, res) => {
    res.write('a');
    await new Promise((resolve) => setImmediate(resolve));
    if (res.write('b')) console.log('not full');
    console.log('needs drain ' + res.writableNeedDrain);
    res.once('drain', () => { console.log('needs drain ' + res.writableNeedDrain); res.end('c'); });
  };`);
  const answer = runtime.begin('GET', '/', { window: 2 });
  await runtime.until(() => answer.text === 'ab' && runtime.logs.length > 0);
  runtime.call('onWritable', [answer.id]);
  await runtime.finished(answer);
  assert.strictEqual(answer.text, 'abc');
  assert.deepStrictEqual(runtime.logs.map(({ text }) => text), ['needs drain true', 'needs drain false']);
});

test('request bodies: whole, in parts with credit, unread', async (t) => {
  const runtime = start(t, `export default async (req, res) => {
    if (req.url === '/unread') { res.end('unread'); return; }
    if (req.url === '/pipe') { req.pipe(res); return; }
    let body = '';
    for await (const chunk of req) body += chunk;
    res.end(body + ' ' + req.complete);
  };`);
  assert.strictEqual((await runtime.request('POST', '/', { body: 'abc' })).text, 'abc true');
  assert.strictEqual((await runtime.request('POST', '/')).text, ' true');
  for (const [target, wanted] of [['/', 'abcd true'], ['/pipe', 'abcd']]) {
    const answer = runtime.begin('POST', target, { body: 'ab', more: true });
    await runtime.until(() => answer.credit === 2);
    runtime.call('onBody', [answer.id, Buffer.from('cd')]);
    runtime.call('onBody', [answer.id, null]);
    await runtime.finished(answer);
    assert.strictEqual(answer.text, wanted);
  }
  const unread = runtime.begin('POST', '/unread', { body: 'ab', more: true });
  await runtime.finished(unread);
  assert.strictEqual(unread.text, 'unread');
});

test('what goes wrong', async (t) => {
  const runtime = start(t, `export default (req, res) => {
    req.on('aborted', () => console.log('aborted'));
    res.on('close', () => console.log(req.url + ' close ' + res.writableFinished));
    if (req.url === '/throw') throw new Error('thrown');
    if (req.url === '/reject') return Promise.reject(new Error('rejected'));
    if (req.url === '/middle') { res.write('a'); setTimeout(() => res.destroy(new Error('broke')), 5); }
    if (req.url === '/destroy') req.destroy();
    if (req.url === '/header') res.setHeader('a', 'x\\ny');
    if (req.url === '/fine') res.end('fine');
  };`);
  const of = async (target) => {
    const { error, done } = await runtime.get(target);
    return [error.kind, error.message, done];
  };
  assert.deepStrictEqual(await of('/throw'), ['throw', 'Error: thrown', 1]);
  assert.deepStrictEqual(await of('/reject'), ['throw', 'Error: rejected', 1]);
  assert.deepStrictEqual(await of('/middle'), ['stream', 'Error: broke', 1]);
  assert.match((await of('/destroy'))[1], /destroyed the connection/);
  assert.match((await of('/header'))[1], /Invalid character/);
  const answer = runtime.begin('POST', '/wait', { body: 'a', more: true });
  runtime.call('onAbort', [answer.id, 'client']);
  await runtime.finished(answer);
  assert.strictEqual((await runtime.get('/fine')).text, 'fine');
  const texts = runtime.logs.map(({ text }) => text);
  assert.ok(texts.includes('/wait close false'), texts.join());
  assert.ok(texts.includes('aborted'), texts.join());
});
