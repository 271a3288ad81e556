'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');

test('an HTTP request as an event of format 2.0', async (t) => {
  const runtime = start(t, `export const handler = async (event, context) => ({ event, context: { ...context, left: context.getRemainingTimeInMillis() > 0 } });`);
  const ready = await runtime.ready();
  assert.deepStrictEqual([ready.form, ready.concurrency], ['lambda', 1]);
  const answer = await runtime.request('POST', '/a%20b?x=1&x=2&y=%20', { body: '{"a":1}',
    headers: { 'content-type': 'application/json', cookie: 'a=1; b=2', 'user-agent': 'me', via: ['1', '2'] } });
  assert.deepStrictEqual([answer.status, answer.header('content-type')], [200, 'application/json']);
  const { event, context } = answer.json;
  const { time, timeEpoch, ...request } = event.requestContext;
  assert.match(time, /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  assert.ok(Math.abs(Date.now() - timeEpoch) < 10000);
  assert.deepStrictEqual(request, { accountId: 'anonymous', apiId: 'mayfly', domainName: 'example.com', domainPrefix: 'example',
    http: { method: 'POST', path: '/a%20b', protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'me' },
    requestId: 'inv-1', routeKey: '$default', stage: '$default' });
  delete event.requestContext;
  assert.deepStrictEqual(event, { version: '2.0', routeKey: '$default', rawPath: '/a%20b', rawQueryString: 'x=1&x=2&y=%20',
    headers: { host: 'example.com', 'content-type': 'application/json', cookie: 'a=1; b=2', 'user-agent': 'me', via: '1,2' },
    cookies: ['a=1', 'b=2'], queryStringParameters: { x: '1,2', y: ' ' }, body: '{"a":1}', isBase64Encoded: false });
  assert.deepStrictEqual([context.functionName, context.functionVersion, context.awsRequestId, context.left], ['test', '1', 'inv-1', true]);
});

test('the route, and what stands in its placeholders', async (t) => {
  const runtime = start(t, `export const handler = async (event) => [event.routeKey, event.requestContext.routeKey, event.pathParameters];`);
  const of = async (headers) => (await runtime.request('GET', '/users/7', { headers })).json;
  assert.deepStrictEqual(await of({}), ['$default', '$default', null]);
  const key = 'GET /users/{id}/{proxy+}';
  assert.deepStrictEqual(await of({ 'mayfly-route': key, 'mayfly-path-parameters': 'id=a%2Fb%20%2B%C3%BC&proxy=' }),
    [key, key, { id: 'a/b +ü', proxy: '' }]);
});

test('binary bodies come as base64', async (t) => {
  const runtime = start(t, `export const handler = async (event) => [event.body, event.isBase64Encoded];`);
  const body = new Uint8Array([0, 255]);
  const of = async (type, bytes) => (await runtime.request('POST', '/', { body: bytes, headers: type ? { 'content-type': type } : {} })).json;
  assert.deepStrictEqual(await of('application/octet-stream', body), ['AP8=', true]);
  assert.deepStrictEqual(await of('text/plain', body), ['AP8=', true]);
  assert.deepStrictEqual(await of('application/octet-stream', 'abc'), ['YWJj', true]);
  assert.deepStrictEqual(await of('application/vnd.api+json; charset=utf-8', '{}'), ['{}', false]);
  assert.deepStrictEqual(await of(undefined, 'a=b'), ['a=b', false]);
  const answer = runtime.begin('POST', '/', { body: 'ab', more: true, headers: { 'content-type': 'text/plain' } });
  runtime.call('onBody', [answer.id, Buffer.from('cd')]);
  runtime.call('onBody', [answer.id, null]);
  await runtime.finished(answer);
  assert.deepStrictEqual(answer.json, ['abcd', false]);
});

test('answers: shapes, headers, cookies, base64, statuses', async (t) => {
  const runtime = start(t, `const answers = {
    '/string': 'text', '/object': { a: 1 }, '/null': null, '/undefined': undefined,
    '/full': { statusCode: 201, headers: { 'X-A': 'b', 'Content-Type': 'text/html' }, cookies: ['a=1', 'b=2'], body: '<p>' },
    '/multi': { statusCode: 200, headers: { x: '1' }, multiValueHeaders: { X: ['2', '3'], 'Set-Cookie': ['c=1', 'd=2'] }, body: 'x' },
    '/base64': { statusCode: 200, body: 'AP8=', isBase64Encoded: true }, '/204': { statusCode: 204 }, '/json': { statusCode: 200, body: { a: 1 } },
    '/not64': { statusCode: 200, body: '<html>', isBase64Encoded: true }, '/wrapped64': { statusCode: 200, body: 'AP-\\nA', isBase64Encoded: true },
    '/bad': { statusCode: 'x' }, '/header': { statusCode: 200, headers: { 'a b': 'c' } } };
    export const handler = async (event) => answers[event.rawPath];`);
  const of = async (target) => {
    const a = await runtime.get(target);
    return [a.status, a.header('content-type'), a.text];
  };
  assert.deepStrictEqual(await of('/string'), [200, 'application/json', 'text']);
  assert.deepStrictEqual(await of('/object'), [200, 'application/json', '{"a":1}']);
  assert.deepStrictEqual(await of('/null'), [200, 'application/json', 'null']);
  assert.deepStrictEqual(await of('/undefined'), [200, 'application/json', 'null']);
  assert.deepStrictEqual(await of('/full'), [201, 'text/html', '<p>']);
  assert.deepStrictEqual((await runtime.get('/full')).headers('set-cookie'), ['a=1', 'b=2']);
  const multi = await runtime.get('/multi');
  assert.deepStrictEqual([multi.headers('x'), multi.headers('set-cookie')], [['2', '3'], ['c=1', 'd=2']]);
  assert.deepStrictEqual((await runtime.get('/base64')).body, Buffer.from([0, 255]));
  assert.deepStrictEqual(await of('/204'), [204, undefined, '']);
  assert.deepStrictEqual(await of('/json'), [200, 'text/plain;charset=utf-8', '{"a":1}']);
  assert.deepStrictEqual((await runtime.get('/wrapped64')).body, Buffer.from([0, 255, 128]));
  const { error } = await runtime.get('/not64');
  assert.deepStrictEqual([error.kind, error.message], ['stream', 'TypeError: The handler returned isBase64Encoded, but the body is not Base64']);
  assert.match((await runtime.get('/bad')).error.message, /statusCode x/);
  assert.match((await runtime.get('/header')).error.message, /invalid header name/);
});

test('events come and go as they are', async (t) => {
  const runtime = start(t, `export const handler = async (event) => { if (event.fail) throw new Error('failed'); return { got: event }; };`);
  const answer = await runtime.request('POST', '/', { body: '[1,"a"]', kind: 'event' });
  assert.deepStrictEqual([answer.status, answer.json], [200, { got: [1, 'a'] }]);
  assert.strictEqual((await runtime.request('POST', '/', { body: '{"fail":1}', kind: 'event' })).error.message, 'Error: failed');
  const refused = (await runtime.request('POST', '/', { body: '{', kind: 'event' })).error;
  assert.strictEqual(refused.kind, 'throw');
  assert.match(refused.message, /payload is not JSON/);
});

test('CommonJS, callbacks, context.succeed, values without a promise', async (t) => {
  for (const [source, wanted] of [
    [`exports.handler = (event, context, callback) => { setTimeout(callback, 1, null, 'later'); };`, 'later'],
    [`exports.handler = function (event, context) { setTimeout(() => context.succeed('done'), 1); };`, 'done'],
    [`exports.handler = (event, context, callback) => callback(null, { statusCode: 200, body: 'now' });`, 'now'],
    [`exports.handler = () => 'value';`, 'value'],
    [`exports.handler = () => {};`, 'null'],
    [`module.exports.handler = async () => { throw new Error('x'); };`, 'Error: x'],
    [`exports.handler = (event, context, callback) => callback(new Error('y'));`, 'Error: y'],
    [`exports.handler = (event, context) => context.fail(new Error('z'));`, 'Error: z'],
  ]) {
    const runtime = start(t, { 'index.cjs': source });
    assert.strictEqual((await runtime.ready()).form, 'lambda', source);
    const answer = await runtime.get('/');
    assert.strictEqual(answer.error?.message ?? answer.text, wanted, source);
    assert.strictEqual(answer.done, 1);
  }
});

test('awslambda.streamifyResponse', async (t) => {
  const runtime = start(t, `export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
    if (event.rawPath === '/throw') throw new Error('early');
    if (event.rawPath === '/plain') { stream.setContentType('text/plain'); stream.end('plain'); return; }
    const out = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' }, cookies: ['c=1'] });
    out.write('one');
    out.write('two', () => out.end());
  });`);
  const answer = runtime.begin('GET', '/', { window: 3 });
  await runtime.until(() => answer.text === 'one');
  runtime.call('onWritable', [answer.id]);
  await runtime.until(() => answer.text === 'onetwo');
  runtime.call('onWritable', [answer.id]);
  await runtime.finished(answer);
  assert.deepStrictEqual([answer.status, answer.header('a'), answer.header('set-cookie'), answer.ended], [201, 'b', 'c=1', true]);
  const plain = await runtime.get('/plain');
  assert.deepStrictEqual([plain.text, plain.header('content-type')], ['plain', 'text/plain']);
  const early = await runtime.get('/throw');
  assert.deepStrictEqual([early.error.kind, early.error.message, early.done], ['throw', 'Error: early', 1]);
});
