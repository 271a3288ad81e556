'use strict';
// Packages as they come from npm. They are looked for in tests/packages (scripts/setup installs them there)
// or in the folder that MAYFLY_TEST_PACKAGES names.

const fs = require('fs');
const path = require('path');
const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');

const packages = process.env.MAYFLY_TEST_PACKAGES ?? path.join(__dirname, '../../../tests/packages');
const skip = fs.existsSync(path.join(packages, 'node_modules')) ? false : 'the packages are not installed';

for (const name of ['express', 'express4']) {
  test(name, { skip }, async (t) => {
    const runtime = start(t, { 'app.mjs': `
      import express from '${name}';
      import { Readable } from 'node:stream';
      const app = express();
      app.use(express.json());
      app.use(express.urlencoded({ extended: false }));
      app.get('/hello/:name', (req, res) => { res.cookie('a', '1'); res.cookie('b', '2'); res.json({ name: req.params.name, q: req.query.q, ip: req.ip, protocol: req.protocol, host: req.hostname }); });
      app.post('/json', (req, res) => res.status(201).send(req.body));
      app.post('/form', (req, res) => res.send(req.body.a));
      app.get('/html', (req, res) => res.send('<p>h\u00e9</p>'));
      app.get('/redirect', (req, res) => res.redirect('/html'));
      app.get('/stream', (req, res) => { Readable.from(['x', 'y']).pipe(res); });
      app.get('/file', (req, res) => res.sendFile(process.cwd() + '/file.txt'));
      app.get('/throw', () => { throw new Error('oops'); });
      app.get('/status', (req, res) => res.sendStatus(204));
      app.use((error, req, res, next) => { res.status(500).json({ error: error.message }); });
      if (import.meta.url === 'never') app.listen(3000);
      export default app;`, 'file.txt': 'from a file' }, { packages });
    const ready = await runtime.ready();
    assert.deepStrictEqual(ready, { form: 'express', warnings: [], unsafe: [] });
    const hello = await runtime.get('/hello/you?q=1');
    assert.deepStrictEqual(hello.json, { name: 'you', q: '1', ip: '192.0.2.1', protocol: 'http', host: 'example.com' });
    assert.deepStrictEqual(hello.headers('set-cookie'), ['a=1; Path=/', 'b=2; Path=/']);
    assert.match(hello.header('content-type'), /^application\/json/);
    const length = Buffer.from('{"a":1}').length;
    const json = await runtime.request('POST', '/json', { body: '{"a":1}', headers: { 'content-type': 'application/json', 'content-length': length } });
    assert.deepStrictEqual([json.status, json.text], [201, '{"a":1}']);
    const form = await runtime.request('POST', '/form', { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': 3 } });
    assert.strictEqual(form.text, 'b');
    const html = await runtime.get('/html');
    assert.deepStrictEqual([html.text, html.header('content-length')], ['<p>h\u00e9</p>', '10']);
    assert.strictEqual((await runtime.get('/html', { headers: { 'if-none-match': html.header('etag') } })).status, 304);
    const head = await runtime.request('HEAD', '/html');
    assert.deepStrictEqual([head.text, head.header('content-length')], ['', '10']);
    const redirect = await runtime.get('/redirect');
    assert.deepStrictEqual([redirect.status, redirect.header('location')], [302, '/html']);
    assert.strictEqual((await runtime.get('/stream')).text, 'xy');
    assert.strictEqual((await runtime.get('/file')).text, 'from a file');
    const thrown = await runtime.get('/throw');
    assert.deepStrictEqual([thrown.status, thrown.json], [500, { error: 'oops' }]);
    assert.strictEqual((await runtime.get('/status')).status, 204);
    assert.strictEqual((await runtime.get('/none')).status, 404);
  });
}

test('hono', { skip }, async (t) => {
  const runtime = start(t, { 'app.mjs': `
    import { Hono } from 'hono';
    import { cors } from 'hono/cors';
    import { setCookie } from 'hono/cookie';
    import { stream } from 'hono/streaming';
    const app = new Hono();
    app.use('*', cors());
    app.get('/hello/:name', (c) => { setCookie(c, 'a', '1'); setCookie(c, 'b', '2'); return c.json({ name: c.req.param('name'), q: c.req.query('q'), env: c.env.A }); });
    app.post('/json', async (c) => c.json(await c.req.json(), 201));
    app.post('/form', async (c) => c.text((await c.req.parseBody()).a));
    app.get('/stream', (c) => stream(c, async (s) => { await s.write('x'); await s.write('y'); }));
    app.get('/wait', (c) => { c.executionCtx.waitUntil(Promise.resolve()); return c.html('<p>'); });
    app.get('/throw', () => { throw new Error('oops'); });
    app.onError((error, c) => c.text(error.message, 500));
    app.route('/sub', new Hono().get('/', (c) => c.redirect('/hello')));
    export default app;` }, { packages, configuration: { env: { A: 'x' } } });
  assert.strictEqual((await runtime.ready()).form, 'fetch');
  const hello = await runtime.get('/hello/you?q=1', { headers: { origin: 'http://a' } });
  assert.deepStrictEqual(hello.json, { name: 'you', q: '1', env: 'x' });
  assert.deepStrictEqual([hello.headers('set-cookie').length, hello.header('access-control-allow-origin')], [2, '*']);
  const json = await runtime.request('POST', '/json', { body: '{"a":1}' });
  assert.deepStrictEqual([json.status, json.json], [201, { a: 1 }]);
  const form = await runtime.request('POST', '/form', { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.strictEqual(form.text, 'b');
  assert.strictEqual((await runtime.get('/stream')).text, 'xy');
  assert.strictEqual((await runtime.get('/wait')).header('content-type'), 'text/html; charset=UTF-8');
  const thrown = await runtime.get('/throw');
  assert.deepStrictEqual([thrown.status, thrown.text], [500, 'oops']);
  assert.strictEqual((await runtime.get('/sub')).status, 302);
  assert.strictEqual((await runtime.request('OPTIONS', '/hello/x')).status, 204);
  assert.strictEqual((await runtime.get('/none')).status, 404);
});

test('itty-router', { skip }, async (t) => {
  const runtime = start(t, { 'app.mjs': `
    import { AutoRouter, error } from 'itty-router';
    const router = AutoRouter();
    router.get('/hello/:name', ({ params, query }) => ({ name: params.name, q: query.q }))
      .post('/json', async (request) => request.json()).get('/text', () => 'text').get('/throw', () => error(418, 'teapot'));
    export default router;` }, { packages });
  assert.deepStrictEqual((await runtime.get('/hello/you?q=1')).json, { name: 'you', q: '1' });
  assert.deepStrictEqual((await runtime.request('POST', '/json', { body: '[1]' })).json, [1]);
  assert.strictEqual((await runtime.get('/throw')).status, 418);
  assert.strictEqual((await runtime.get('/none')).status, 404);
});
