'use strict';
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { start } = require('../testing/harness.js');

const [major, minor] = process.versions.node.split('.').map(Number);
const detectsModules = major > 22 || (major === 22 && minor >= 7) || (major === 20 && minor >= 19);

async function serves(t, files, options = {}) {
  const runtime = start(t, files, options);
  const { form } = await runtime.ready();
  const answer = await runtime.get('/');
  return `${form}: ${answer.error?.message ?? answer.text}`;
}

test('module systems', async (t) => {
  const esm = `import fs from 'node:fs'; const x = await Promise.resolve('esm'); export default { async fetch() { const { y } = await import('./y.mjs'); return new Response(x + y); } };`;
  const cjs = `const { y } = require('./y.cjs'); module.exports = { async fetch() { return new Response('cjs' + y); } };`;
  const ys = { 'y.mjs': `export const y = 1;`, 'y.cjs': `exports.y = 2;` };
  assert.strictEqual(await serves(t, { 'a.mjs': esm, ...ys }), 'fetch: esm1');
  assert.strictEqual(await serves(t, { 'a.js': esm, ...ys, 'package.json': '{"type":"module"}' }), 'fetch: esm1');
  assert.strictEqual(await serves(t, { 'a.cjs': cjs, ...ys }), 'fetch: cjs2');
  assert.strictEqual(await serves(t, { 'a.js': cjs, ...ys }), 'fetch: cjs2');
  assert.strictEqual(await serves(t, { 'sub/a.js': cjs.replace('./', '../'), ...ys }), 'fetch: cjs2');
});

test('an ES module in .js without package.json', async (t) => {
  const source = `export default { fetch() { return new Response('detected'); } };`;
  if (detectsModules) {
    assert.strictEqual(await serves(t, { 'a.js': source }), 'fetch: detected');
  } else {
    const failed = await start(t, { 'a.js': source }).failed();
    assert.deepStrictEqual([failed.kind, failed.file, failed.line], ['syntax', 'a.js', 1]);
    assert.match(failed.message, /ES module.*"type": "module"/);
  }
});

test('forms', async (t) => {
  const hello = `{ return new Response('x'); }`;
  for (const [source, wanted] of [
    [`export default { fetch() ${hello} }`, 'fetch: x'],
    [`class App { fetch() ${hello} } export default new App();`, 'fetch: x'],
    [`class App { #a = 'x'; fetch = () => new Response(this.#a); } export default new App();`, 'fetch: x'],
    [`export default class { constructor(ctx, env) { this.env = env; } fetch() { return new Response(this.env.A); } }`, 'fetch: a'],
    [`export default function (request) { return new Response(request.method); }`, 'fetch: GET'],
    [`export default (request, env) => new Response(env.A);`, 'fetch: a'],
    [`export default (request, env, ctx) => new Response(typeof ctx.waitUntil);`, 'fetch: function'],
    [`export default async (request, context) => new Response(typeof context);`, 'fetch: object'],
    [`export function fetch() ${hello}`, 'fetch: x'],
    [`export default (req, res) => { res.end('x'); };`, 'express: x'],
    [`export default function (a, b) { b.end('x'); }`, 'express: x'],
    [`export const handler = (req, res) => res.end('x');`, 'express: x'],
    [`export default async function (event) { return event.version; }`, 'lambda: 2.0'],
    [`export async function handler() { return 'x'; }`, 'lambda: x'],
    [`export const handler = async (...args) => 'x' + args.length;`, 'lambda: x3'],
  ]) assert.strictEqual(await serves(t, { 'a.mjs': source }, { configuration: { env: { A: 'a' } } }), wanted, source);
  for (const [source, wanted] of [
    [`module.exports = (req, res) => res.end('x');`, 'express: x'],
    [`module.exports = async (request) => new Response('x');`, 'fetch: x'],
    [`exports.__esModule = true; exports.default = { fetch() ${hello} };`, 'fetch: x'],
    [`exports.handler = async () => 'x';`, 'lambda: x'],
  ]) assert.strictEqual(await serves(t, { 'a.cjs': source }), wanted, source);
  const named = { 'a.mjs': `export const one = async () => 'one'; export default { fetch() ${hello} };` };
  assert.strictEqual(await serves(t, named, { configuration: { handler: 'one' } }), 'lambda: one');
  assert.strictEqual(await serves(t, named, { configuration: { handler: 'a.one' } }), 'lambda: one');
});

test('missing exports: what there is, and a suggestion', async (t) => {
  for (const [source, handler, wanted] of [
    [`export const a = 1, hello = () => 1;`, undefined, /no export "default"\. It exports: a, hello\. Did you mean handler = "hello"\?/],
    [`export const handler = () => 1;`, 'hander', /no export "hander".*Did you mean handler = "handler"\?/],
    [`export const b = () => 1, c = () => 1;`, 'something', /Set handler to one of: b, c/],
    [`export {};`, undefined, /exports nothing/],
    [`import http from 'http'; http.createServer().listen(0);`, undefined, /exports nothing.*listens on a port of its own: export the application/],
    [`export default 5;`, undefined, /"default" is of type number, not a handler/],
    [`export default { a: 1 };`, undefined, /of type object/],
  ]) {
    const runtime = start(t, source, { configuration: { handler } });
    const failed = await runtime.failed();
    assert.strictEqual(failed.kind, 'export');
    assert.match(failed.message, wanted);
    assert.strictEqual(failed.file, 'index.mjs');
    assert.strictEqual((await runtime.exited)[0], 1);
  }
});

test('syntax errors and init that throws: file and line', async (t) => {
  const bad = `const a = 1;\n\nconst const = 2;\n`;
  for (const [files, kind, file, line, message] of [
    [{ 'a.mjs': bad }, 'syntax', 'a.mjs', 3, /SyntaxError/],
    [{ 'a.cjs': bad }, 'syntax', 'a.cjs', 3, /SyntaxError/],
    [{ 'a.mjs': `import './lib/b.mjs';`, 'lib/b.mjs': bad }, 'syntax', 'lib/b.mjs', 3, /SyntaxError/],
    [{ 'a.cjs': `require('./b.cjs');`, 'b.cjs': bad }, 'syntax', 'b.cjs', 3, /SyntaxError/],
    [{ 'a.mjs': `\nimport { nothing } from './b.mjs';`, 'b.mjs': `export const b = 1;` }, 'syntax', 'a.mjs', 2, /does not provide an export named 'nothing'/],
    [{ 'a.mjs': `\nthrow new Error('init');` }, 'init', 'a.mjs', 2, /^Error: init$/],
    [{ 'a.mjs': `import './b.mjs';`, 'b.mjs': `\n\nawait null; null.x;` }, 'init', 'b.mjs', 3, /^TypeError: Cannot read/],
    [{ 'a.cjs': `\n\nthrow new Error('cjs');` }, 'init', 'a.cjs', 3, /cjs/],
    [{ 'a.mjs': `JSON.parse('{');` }, 'init', 'a.mjs', 1, /JSON/],
    [{ 'a.mjs': `import 'nowhere';` }, 'init', 'a.mjs', undefined, /Cannot find package 'nowhere'/],
    [{ 'a.mjs': `throw 'text';` }, 'init', undefined, undefined, /Thrown: text/],
    [{ 'a.mjs': `\nprocess.exit(2);` }, 'init', undefined, undefined, /process\.exit\(2\) was called while the code was loading/],
    [{ 'a.mjs': `export default { fetch() {} };\nsetTimeout(() => { throw new Error('soon'); });\nawait new Promise((r) => setTimeout(r, 50));` }, 'init', undefined, undefined, /soon/],
  ]) {
    const runtime = start(t, files);
    const failed = await runtime.failed();
    assert.deepStrictEqual([failed.kind, failed.file, failed.line], [kind, file, line], JSON.stringify([files, failed]));
    assert.match(failed.message, message);
    assert.doesNotMatch(failed.stack, /node:|boot\.js|load\.js/);
    assert.ok(!failed.stack.includes(runtime.root), failed.stack);
    assert.strictEqual((await runtime.exited)[0], 1);
  }
});

test('a folder that is reached through a link: files are told by their names in it', async (t) => {
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'mayfly-link-'));
  t.after(() => fs.rmSync(place, { recursive: true }));
  // As it is below /tmp in a sandbox: the link's path is the end of the real one.
  const real = path.join(place, 'host', place, 'code');
  fs.mkdirSync(real, { recursive: true });
  fs.symlinkSync(real, path.join(place, 'code'));
  fs.writeFileSync(path.join(real, 'index.mjs'), `\nexport default { fetch() { null.x; } };`);
  const runtime = start(t, '', { configuration: { root: path.join(place, 'code') } });
  await runtime.ready();
  const { error } = await runtime.get('/');
  assert.match(error.stack, /^TypeError: .*\n +at Object\.fetch \(index\.mjs:2:33\)$/);
});

test('what a fork cannot share is told', async (t) => {
  const tail = `\nexport default { fetch() { return new Response(); } };`;
  for (const [source, wanted] of [
    [`import http from 'http'; http.createServer().listen(0);`, ['init left a server listening']],
    [`import { spawn } from 'child_process'; spawn('sleep', ['5'], { stdio: 'ignore' });`, ['init left a child process running']],
    [`import { Worker } from 'worker_threads'; new Worker('setInterval(() => {}, 1000)', { eval: true });`, /worker thread/],
    [`import net from 'net'; const s = net.createServer().listen(0); await new Promise((r) => s.once('listening', r)); net.connect(s.address().port);`, /TCP socket/],
    [`import fs from 'fs'; fs.watch('.');`, ['init left a file watcher running']],
    [`import fs from 'fs'; fs.readFile('a.mjs', () => {}); setInterval(() => {}, 1000); process.on('SIGUSR2', () => {});`, []],
  ]) {
    const ready = await start(t, { 'a.mjs': source + tail }).ready();
    if (Array.isArray(wanted)) assert.deepStrictEqual(ready.unsafe, wanted, source);
    else assert.match(ready.unsafe.join(), wanted);
    assert.strictEqual(ready.warnings.length, ready.unsafe.length);
  }
});

test('init may call HTTP services: the connections that Node keeps are closed', { timeout: 10000 }, async (t) => {
  const server = require('http').createServer((req, res) => res.end('x'));
  const sockets = new Set();
  server.keepAliveTimeout = 60000;
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => { server.closeAllConnections(); server.close(); });
  const url = `http://127.0.0.1:${server.address().port}/`;
  const runtime = start(t, `import http from 'node:http';
    const viaFetch = await (await fetch('${url}')).text();
    const viaHttp = await new Promise((resolve) => http.get('${url}', { agent: http.globalAgent }, (res) => { res.resume(); res.on('end', () => resolve('y')); }));
    export default { async fetch() { return new Response(viaFetch + viaHttp + await (await fetch('${url}')).text()); } };`);
  assert.deepStrictEqual((await runtime.ready()).unsafe, []);
  await Promise.all([...sockets].map((socket) => socket.destroyed || new Promise((resolve) => { socket.on('close', resolve); })));
  assert.strictEqual(sockets.size, 2);
  assert.strictEqual((await runtime.get('/')).text, 'xyx');
});

test('init that goes on after the module was evaluated is waited for', async (t) => {
  const runtime = start(t, `import fs from 'node:fs/promises'; let text = 'not yet'; fs.readFile(new URL(import.meta.url)).then((b) => { text = 'read'; });
    export default { fetch() { return new Response(text); } };`);
  await runtime.ready();
  assert.strictEqual((await runtime.get('/')).text, 'read');
});

test('direct: loads in the instance, and tells a failure as one of the instance', async (t) => {
  const runtime = start(t, `export default { fetch() { return new Response('direct'); } };`, { roles: ['direct'] });
  assert.strictEqual((await runtime.get('/')).text, 'direct');
  const failing = start(t, `throw new Error('init');`, { roles: ['direct'] });
  const [kind, message] = await failing.event('fatal');
  assert.deepStrictEqual([kind, message], ['uncaught', 'Error: init']);
});
