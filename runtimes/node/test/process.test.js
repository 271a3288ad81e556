'use strict';
// What the code's process looks like, how it prints and how it ends.

const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');

test('console and the standard streams become log lines with level and invocation', async (t) => {
  const runtime = start(t, `console.log('init %s', 'x', { a: [1] });
    export default { async fetch(request) {
      console.debug('debug'); console.info('info'); console.warn('warn'); console.error(new Error('error'));
      console.log('two\\nlines'); console.table([{ a: 1 }]); console.group('g'); console.warn('inside'); console.groupEnd();
      console.count(); console.assert(false, 'assertion'); console.trace('here');
      process.stdout.write('part'); process.stdout.write(' of a line\\nrest'); process.stderr.write('e\\n');
      await null;
      return new Response(String(process.stdout.isTTY)); } }`);
  const { text } = await runtime.get('/');
  assert.strictEqual(text, 'false');
  await runtime.get('/');
  const { logs } = runtime;
  assert.deepStrictEqual(logs[0], { level: 'info', text: 'init x { a: [ 1 ] }', id: 0 });
  assert.deepStrictEqual(logs.slice(1, 4).map(({ level, text }) => [level, text]), [['debug', 'debug'], ['info', 'info'], ['warn', 'warn']]);
  assert.strictEqual(logs[4].level, 'error');
  assert.match(logs[4].text, /^Error: error\n +at /);
  assert.strictEqual(logs[5].text, 'two\nlines');
  assert.match(logs[6].text, /index[^]*a/);
  const rest = logs.slice(7, 16).map(({ level, text }) => [level, text.split('\n')[0]]);
  assert.deepStrictEqual(rest.slice(0, 3), [['info', 'g'], ['warn', '  inside'], ['info', 'default: 1']]);
  assert.strictEqual(rest[3][0], 'warn');
  assert.match(rest[3][1], /assertion/);
  assert.deepStrictEqual(rest.slice(4, 8), [['error', 'Trace: here'], ['info', 'part of a line'], ['error', 'e'], ['info', 'rest']]);
  assert.ok(logs.slice(1, 15).every(({ id }) => id === 1), JSON.stringify(logs));
});

test('log lines of several invocations are told apart, once there are several', async (t) => {
  const runtime = start(t, `let waiting = [];
    export default { async fetch(request) {
      const path = new URL(request.url).pathname;
      if (path === '/go') { for (const go of waiting) go(); waiting = []; await null; return new Response(); }
      await new Promise((resolve) => waiting.push(resolve));
      console.log(path);
      return new Response(); } }`);
  const rounds = [];
  for (let round = 0; round < 2; ++round) {
    const a = runtime.begin('GET', '/a' + round), b = runtime.begin('GET', '/b' + round);
    await runtime.get('/go');
    await runtime.finished(a);
    await runtime.finished(b);
    rounds.push([a.id, b.id]);
  }
  const of = (text) => runtime.logs.find((line) => line.text === text).id;
  assert.deepStrictEqual([of('/a1'), of('/b1')], rounds[1]);
});

for (const [what, source, kind, message] of [
  ['an uncaught exception', `setTimeout(() => { throw new TypeError('unseen'); }, 1); return new Promise(() => {});`, 'uncaught', 'TypeError: unseen'],
  ['an unhandled rejection', `Promise.reject(new Error('unhandled')); return new Promise(() => {});`, 'rejection', 'Error: unhandled'],
  ['a rejection with no error', `Promise.reject(5); return new Promise(() => {});`, 'rejection', /5/],
  ['process.exit', `process.exit(3);`, 'exit', '3'],
  ['process.reallyExit', `process.reallyExit(4);`, 'exit', '4'],
]) {
  test(what, async (t) => {
    const runtime = start(t, `process.on('exit', (code) => console.log('exit handler'));
      export default { fetch() { process.stdout.write('last words'); ${source} } }`);
    runtime.begin('GET', '/');
    const [k, m, stack] = await runtime.event('fatal');
    assert.strictEqual(k, kind);
    if (typeof message === 'string') assert.strictEqual(m, message);
    else assert.match(m, message);
    assert.match(stack, /index\.mjs|5/);
    const [code] = await runtime.exited;
    assert.strictEqual(code, kind === 'exit' ? Number(m) : 1);
    const texts = runtime.logs.map(({ text }) => text).join('|');
    assert.match(texts, /last words/);
    if (what !== 'process.reallyExit') assert.match(texts, /exit handler/);
  });
}

test('process.abort and a signal to itself end it as the kernel does', async (t) => {
  for (const [source, signal] of [['process.abort()', 'SIGABRT'], [`process.kill(process.pid, 'SIGKILL')`, 'SIGKILL']]) {
    const runtime = start(t, `export default { fetch() { ${source}; return new Response(); } }`);
    runtime.begin('GET', '/');
    assert.strictEqual((await runtime.exited)[1], signal);
  }
});

test('listeners of the code\'s own keep it alive', async (t) => {
  const runtime = start(t, `process.on('uncaughtException', (e) => console.log('caught ' + e.message));
    process.on('unhandledRejection', (e) => console.log('rejected ' + e.message));
    export default { async fetch() {
      setTimeout(() => { throw new Error('a'); }); Promise.reject(new Error('b'));
      await new Promise((resolve) => setTimeout(resolve, 10));
      return new Response('alive'); } }`);
  assert.strictEqual((await runtime.get('/')).text, 'alive');
  assert.deepStrictEqual(runtime.logs.map(({ text }) => text).sort(), ['caught a', 'rejected b']);
});

test('pid, environment and arguments', async (t) => {
  const runtime = start(t, { 'main.cjs': `module.exports = { fetch() { return Response.json([process.pid, process.env, process.argv[1], process.execArgv,
    require.main === module, require.main.filename, process.cwd()]); } };` }, { configuration: { env: { ONE: '1' } } });
  const { json } = await runtime.get('/');
  const entry = `${runtime.root}/main.cjs`;
  assert.deepStrictEqual(json, [runtime.child.pid, { NODE_ENV: 'production', ONE: '1' }, entry, [], false, entry, runtime.root]);
});
