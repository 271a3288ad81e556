'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');

test('one frame for one answer, and the slot is freed once', async (t) => {
  const runtime = start(t, `export default { fetch(request) { return new Response('hello ' + request.method + ' ' + request.url); } }`);
  assert.deepStrictEqual(await runtime.ready(), { form: 'fetch', warnings: [], unsafe: [] });
  const answer = await runtime.get('/a?b=1');
  assert.strictEqual(answer.status, 200);
  assert.strictEqual(answer.text, 'hello GET http://example.com/a?b=1');
  assert.strictEqual(answer.header('content-type'), 'text/plain;charset=UTF-8');
  await runtime.get('/');
  assert.strictEqual(answer.done, 1);
  assert.deepStrictEqual(runtime.events.map(({ event }) => event), ['fork', 'ready', 'fork', 'serve', 'respond', 'respond']);
});

test('ctx.params has what stands in the placeholders of the route', async (t) => {
  const runtime = start(t, `export default { fetch: (request, env, ctx) => Response.json(ctx.params) };`);
  assert.deepStrictEqual((await runtime.get('/')).json, {});
  const answer = await runtime.request('GET', '/', { headers: { 'mayfly-path-parameters': 'id=a%2Fb%2B&proxy=' } });
  assert.deepStrictEqual(answer.json, { id: 'a/b+', proxy: '' });
});

test('env, ctx, headers, async handlers, several cookies', async (t) => {
  const runtime = start(t, `
    export default { async fetch(request, env, ctx) {
      await null;
      const headers = new Headers({ 'x-env': env.A, 'x-id': ctx.invocationId, 'x-agent': request.headers.get('User-Agent') });
      headers.append('set-cookie', 'a=1');
      headers.append('set-cookie', 'b=2');
      return Response.json({ left: ctx.getRemainingTimeInMillis() > 0, deadline: ctx.deadline instanceof Date, keys: Object.keys(process.env),
        argv: process.argv.slice(1).map((a) => a.split('/').pop()), cookie: request.headers.get('cookie') }, { status: 201, headers });
    } }`, { configuration: { env: { A: 'x' } } });
  const answer = await runtime.get('/', { headers: { 'user-agent': 'me', cookie: ['x=1', 'y=2'] } });
  assert.strictEqual(answer.status, 201);
  assert.deepStrictEqual(answer.headers('set-cookie'), ['a=1', 'b=2']);
  assert.deepStrictEqual([answer.header('x-env'), answer.header('x-id'), answer.header('x-agent')], ['x', 'inv-1', 'me']);
  assert.deepStrictEqual(answer.json, { left: true, deadline: true, keys: ['NODE_ENV', 'A'], argv: ['index.mjs'], cookie: 'x=1; y=2' });
});

test('URLs are as Node\'s Request has them', async (t) => {
  const runtime = start(t, `export default { fetch(request) { return new Response(request.url); } }`);
  const cases = { '/': '/', '/a/../b': '/b', '/a/./b': '/a/b', '/%2e%2e/x': '/x', '/a b': '/a%20b', '/a?x=\'y\'': '/a?x=%27y%27', '/a%20b?c=%C3%A9&d': '/a%20b?c=%C3%A9&d',
    '/a.b/c..d/.e': '/a.b/c..d/.e', '/x/..': '/', '/x/.': '/x/', '/a|b"<>': '/a|b%22%3C%3E', '//other/x': '//other/x', '*': '/', 'http://other/x': null };
  for (const [target, wanted] of Object.entries(cases)) {
    const { text } = await runtime.get(target);
    assert.strictEqual(text, wanted === null ? target : 'http://example.com' + wanted, target);
    if (wanted !== null && target !== '*' && !target.startsWith('//')) assert.strictEqual(text, new URL('http://example.com' + target).href);
  }
  const { text } = await runtime.get('/', { headers: { host: 'EXAMPLE.com:80' } });
  assert.strictEqual(text, 'http://example.com/');
});

test('bodies in one frame: text, json, bytes, form', async (t) => {
  const runtime = start(t, `export default { async fetch(request) {
    switch (new URL(request.url).pathname) {
      case '/text': return new Response(await request.text());
      case '/json': return Response.json((await request.clone().json()).a);
      case '/bytes': { const b = await request.arrayBuffer(); return new Response(new Uint8Array(b).reverse()); }
      case '/form': return Response.json(Object.fromEntries(await request.formData()));
      case '/stream': return new Response(request.body);
      case '/none': return Response.json([request.body, await request.text()]);
    } } }`);
  assert.strictEqual((await runtime.request('POST', '/text', { body: 'h\u00e9' })).text, 'h\u00e9');
  assert.strictEqual((await runtime.request('POST', '/json', { body: '{"a":[1]}' })).text, '[1]');
  assert.deepStrictEqual((await runtime.request('POST', '/bytes', { body: new Uint8Array([1, 255, 0]) })).body, Buffer.from([0, 255, 1]));
  const form = await runtime.request('POST', '/form', { body: 'a=1&b=%20', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.deepStrictEqual(form.json, { a: '1', b: ' ' });
  assert.strictEqual((await runtime.request('POST', '/stream', { body: 'abc' })).text, 'abc');
  assert.deepStrictEqual((await runtime.get('/none')).json, [null, '']);
});

test('a body in parts: credit is given for what was read, in every way of reading', async (t) => {
  const runtime = start(t, `export default { async fetch(request) {
    if (request.url.endsWith('/text')) return new Response(await request.text());
    if (request.url.endsWith('/echo')) return new Response(request.body);
    const sizes = [];
    for await (const chunk of request.body) sizes.push(chunk.length);
    return Response.json(sizes);
  } }`);
  for (const [target, wanted] of [['/text', 'abcdef'], ['/echo', 'abcdef'], ['/', '[2,2,2]']]) {
    const answer = runtime.begin('POST', target, { body: 'ab', more: true });
    runtime.call('onBody', [answer.id, Buffer.from('cd')]);
    await runtime.until(() => answer.credit >= 4);
    assert.strictEqual(answer.done, 0);
    runtime.call('onBody', [answer.id, Buffer.from('ef')]);
    runtime.call('onBody', [answer.id, null]);
    await runtime.finished(answer);
    assert.strictEqual(answer.text, wanted);
    assert.ok(answer.credit <= 6);
  }
});

test('a handler that does not read gives no credit', async (t) => {
  const runtime = start(t, `export default { fetch() { return new Response('no'); } }`);
  const answer = runtime.begin('POST', '/', { body: 'ab', more: true });
  await runtime.finished(answer);
  await runtime.get('/');
  assert.strictEqual(answer.credit, 0);
});

test('a streamed answer waits for the window', async (t) => {
  const runtime = start(t, `let pulled = 0;
    export default { fetch(request) {
      if (request.url.endsWith('/pulled')) return Response.json(pulled);
      return new Response(new ReadableStream({ pull(controller) {
        if (pulled === 5) controller.close();
        else controller.enqueue(new TextEncoder().encode(String(++pulled)));
      } }, { highWaterMark: 0 })); } }`);
  const answer = runtime.begin('GET', '/', { window: 2 });
  await runtime.until(() => answer.chunks.length === 2);
  assert.strictEqual((await runtime.get('/pulled')).text, '2');
  assert.strictEqual(answer.text, '12');
  for (const n of [3, 4, 5]) {
    runtime.call('onWritable', [answer.id]);
    await runtime.until(() => answer.chunks.length === n);
  }
  runtime.call('onWritable', [answer.id]);
  await runtime.finished(answer);
  assert.strictEqual(answer.text, '12345');
  assert.ok(answer.ended);
});

test('bodies that come in parts: async iterables, Blobs, transform streams', async (t) => {
  const runtime = start(t, `export default { async fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === '/iterable') return new Response((async function* () { yield 'a'; yield new Uint8Array([98]); })());
    if (path === '/blob') return new Response(new Blob(['ab', 'c'], { type: 'text/css' }));
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    writer.write(new TextEncoder().encode('x')).then(() => writer.close());
    return new Response(readable);
  } }`);
  assert.strictEqual((await runtime.get('/iterable')).text, 'ab');
  const blob = await runtime.get('/blob');
  assert.deepStrictEqual([blob.text, blob.header('content-type')], ['abc', 'text/css']);
  assert.strictEqual((await runtime.get('/transform')).text, 'x');
});

test('HEAD and statuses without a body', async (t) => {
  const runtime = start(t, `export default { fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === '/204') return new Response(null, { status: 204, headers: { a: 'b' } });
    if (path === '/304') return new Response(null, { status: 304 });
    if (path === '/stream') return new Response(new ReadableStream({ cancel() { console.log('cancelled'); } }));
    return new Response('h\u00e9llo'); } }`);
  const head = await runtime.request('HEAD', '/');
  assert.deepStrictEqual([head.status, head.text, head.header('content-length')], [200, '', '6']);
  const none = await runtime.get('/204');
  assert.deepStrictEqual([none.status, none.text, none.headerList], [204, '', [['a', 'b']]]);
  assert.strictEqual((await runtime.get('/304')).status, 304);
  assert.strictEqual((await runtime.request('HEAD', '/stream')).text, '');
  await runtime.until(() => runtime.logs.some(({ text }) => text === 'cancelled'));
});

test('what a handler throws is told, and the next request is served', async (t) => {
  const runtime = start(t, `function boom() { throw new RangeError('boom'); }
    export default { fetch(request) {
      const path = new URL(request.url).pathname;
      if (path === '/sync') boom();
      if (path === '/async') return Promise.reject(new Error('later'));
      if (path === '/odd') throw 'text';
      if (path === '/nothing') return undefined;
      if (path === '/object') return { a: 1 };
      if (path === '/error') return Response.error();
      if (path === '/read') { const r = new Response('x'); r.text(); return r; }
      return new Response('fine'); } }`);
  const sync = await runtime.get('/sync');
  assert.deepStrictEqual([sync.error.kind, sync.error.message, sync.status], ['throw', 'RangeError: boom', 0]);
  assert.match(sync.error.stack, /^RangeError: boom\n +at boom \(index\.mjs:1:\d+\)\n +at Object\.fetch \(index\.mjs:4:\d+\)$/);
  assert.strictEqual((await runtime.get('/async')).error.message, 'Error: later');
  assert.match((await runtime.get('/odd')).error.message, /text/);
  assert.match((await runtime.get('/nothing')).error.message, /did not return a Response .*undefined/);
  assert.match((await runtime.get('/object')).error.message, /did not return a Response .*object/);
  assert.match((await runtime.get('/error')).error.message, /status 0/);
  assert.match((await runtime.get('/read')).error.message, /already been read/);
  const fine = await runtime.get('/');
  assert.strictEqual(fine.text, 'fine');
  for (const event of runtime.events.filter(({ event }) => event === 'done')) assert.ok(event.args[0] < fine.id);
  assert.strictEqual(runtime.events.filter(({ event }) => event === 'done').length, 7);
});

test('an error in the middle of a streamed answer', async (t) => {
  const runtime = start(t, `export default { fetch(request) {
    if (request.url.endsWith('/text')) return new Response(new ReadableStream({ start(c) { c.enqueue('no bytes'); c.enqueue(1); } }));
    return new Response((async function* () { yield 'a'; throw new Error('broke'); })()); } }`);
  const answer = await runtime.get('/');
  assert.deepStrictEqual([answer.status, answer.text, answer.error.kind, answer.error.message, answer.done], [200, 'a', 'stream', 'Error: broke', 1]);
  assert.ok(!answer.ended);
  assert.match((await runtime.get('/text')).error.message, /Uint8Array chunks \(got number\)/);
});

test('waitUntil keeps the slot, and its failure is logged', async (t) => {
  const runtime = start(t, `let go; let rejected;
    export default { fetch(request, env, ctx) {
      if (request.url.endsWith('/go')) { go(); return new Response('went'); }
      ctx.waitUntil(new Promise((resolve) => { go = resolve; }));
      ctx.waitUntil(Promise.reject(new Error('in the background')));
      return new Response('first'); } }`);
  const answer = runtime.begin('GET', '/');
  await runtime.until(() => answer.status === 200);
  await runtime.get('/go');
  await runtime.finished(answer);
  assert.strictEqual(answer.done, 1);
  assert.match(runtime.logs[0].text, /in the background/);
  assert.deepStrictEqual([runtime.logs[0].level, runtime.logs[0].id], ['error', answer.id]);
});

test('a client that leaves aborts the signal, the request body and the answer', async (t) => {
  const runtime = start(t, `export default { async fetch(request) {
    const path = new URL(request.url).pathname;
    request.signal.addEventListener('abort', () => console.log(path + ' ' + request.signal.reason.name));
    if (path === '/body') { try { await request.text(); } catch (error) { console.log('body ' + error.name); } return new Response(); }
    if (path === '/stream') return new Response(new ReadableStream({
      pull(c) { c.enqueue(new Uint8Array(1)); return new Promise((r) => setTimeout(r, 1)); }, cancel() { console.log('stream cancelled'); } }));
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
    return new Response('late');
  } }`);
  const wait = runtime.begin('GET', '/wait');
  runtime.call('onAbort', [wait.id, 'client']);
  await runtime.finished(wait);
  const deadline = runtime.begin('GET', '/deadline');
  runtime.call('onAbort', [deadline.id, 'deadline']);
  await runtime.finished(deadline);
  const body = runtime.begin('POST', '/body', { body: 'x', more: true });
  runtime.call('onAbort', [body.id, 'client']);
  await runtime.finished(body);
  const stream = runtime.begin('GET', '/stream');
  await runtime.until(() => stream.chunks.length > 0);
  runtime.call('onAbort', [stream.id, 'client']);
  await runtime.finished(stream);
  const full = runtime.begin('GET', '/stream', { window: 1 });
  await runtime.until(() => full.chunks.length > 0);
  runtime.call('onAbort', [full.id, 'client']);
  await runtime.finished(full);
  const texts = runtime.logs.map(({ text }) => text);
  for (const wanted of ['/wait AbortError', '/deadline TimeoutError', '/body AbortError', 'body AbortError', '/stream AbortError', 'stream cancelled'])
    assert.ok(texts.includes(wanted), wanted);
  for (const answer of [wait, deadline, body, stream, full]) assert.strictEqual(answer.done, 1);
});

test('what fetch answers can be passed on, without the encoding it took off', async (t) => {
  const zlib = require('zlib');
  const server = require('http').createServer((req, res) => {
    res.setHeader('set-cookie', ['a=1', 'b=2']);
    res.setHeader('content-encoding', 'gzip');
    res.end(zlib.gzipSync('upstream'));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => { server.closeAllConnections(); server.close(); });
  const url = `http://127.0.0.1:${server.address().port}/`;
  const runtime = start(t, `export default { async fetch(request, env) {
    const answer = await fetch(new Request(env.URL, request));
    return request.url.endsWith('/new') ? new Response(answer.body, answer) : answer; } }`, { configuration: { env: { URL: url } } });
  for (const target of ['/', '/new']) {
    const answer = await runtime.get(target);
    assert.deepStrictEqual([answer.status, answer.text, answer.header('content-encoding'), answer.headers('set-cookie')], [200, 'upstream', undefined, ['a=1', 'b=2']]);
  }
});

test('the fetch stack of Node is not loaded by an ordinary function', async (t) => {
  const runtime = start(t, `export default { async fetch(request) {
    const copy = new Request(request.clone(), { headers: new Headers(request.headers) });
    await copy.text();
    request.signal; request instanceof Request; ({}) instanceof Response;
    return Response.json(process.moduleLoadList.filter((name) => name.includes('undici'))); } }`);
  assert.deepStrictEqual((await runtime.request('POST', '/', { body: 'x' })).json, []);
});

test('onStop ends the process when the last request is done', async (t) => {
  const runtime = start(t, `let go; process.on('exit', () => console.log('bye'));
    export default { fetch(request) {
      if (request.url.endsWith('/go')) { go(new Response('done')); return new Response(); }
      return new Promise((resolve) => { go = resolve; }); } }`);
  const answer = runtime.begin('GET', '/');
  const second = runtime.begin('GET', '/go');
  await runtime.finished(second);
  runtime.call('onStop', []);
  const [code] = await runtime.exited;
  assert.deepStrictEqual([code, answer.text, answer.done], [0, 'done', 1]);
  assert.deepStrictEqual(runtime.logs.map(({ text }) => text), ['bye']);
});
