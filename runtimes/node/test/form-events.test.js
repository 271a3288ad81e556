'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { start } = require('../testing/harness.js');

const time = '2026-12-01T10:00:00.000Z';

function message(number, more = {}) {
  const attributes = { id: `event-${number}`, source: '/test', specversion: '1.0', type: 'made', datacontenttype: 'application/json' };
  return { id: `${number}`.padStart(32, '0'), timestamp: time, attempts: 1, attributes, data: { number }, ...more };
}

function deliver(runtime, kind, body, more = {}) {
  return runtime.request('POST', '/', { kind: 'event', headers: { 'mayfly-event': kind }, body: JSON.stringify(body), ...more });
}

const queue = (runtime, messages, more) => deliver(runtime, 'queue', { queue: 'orders', messages }, more);
const schedule = (runtime, more = {}) => deliver(runtime, 'schedule', { schedule: '0 3 * * *', timezone: 'Europe/Berlin', time, ...more });

const three = [message(1), message(2), message(3)];
const [first, second, third] = three.map(({ id }) => id);

test('a batch as Workers have it', async (t) => {
  const runtime = start(t, `export default { async queue(batch, env, ctx) {
    console.log(JSON.stringify({ queue: batch.queue, env, id: ctx.invocationId, messages: batch.messages.map((m) => ({ ...m,
      timestamp: m.timestamp.getTime(), body: m.body instanceof Uint8Array ? ['bytes', ...m.body] : m.body })) }));
  } };`, { configuration: { env: { A: 'b' } } });
  assert.strictEqual((await runtime.ready()).form, 'events');
  const text = { ...message(2).attributes, datacontenttype: 'text/plain' };
  const answer = await queue(runtime, [message(1, { attempts: 3 }), message(2, { attributes: text, data: 'words' }),
    message(3, { data: undefined, data_base64: 'AP8=' }), message(4, { data: undefined })]);
  assert.deepStrictEqual([answer.status, answer.header('content-type'), answer.json, answer.done], [200, 'application/json', {}, 1]);
  const seen = JSON.parse(runtime.logs[0].text);
  assert.deepStrictEqual([seen.queue, seen.env, seen.id], ['orders', { A: 'b' }, 'inv-1']);
  assert.deepStrictEqual(seen.messages[0], { id: first, timestamp: Date.parse(time), attempts: 3, attributes: message(1).attributes, body: { number: 1 } });
  assert.deepStrictEqual(seen.messages.slice(1).map(({ body }) => body), ['words', ['bytes', 0, 255], undefined]);
});

test('what becomes of each message', async (t) => {
  const runtime = start(t, `const cases = {
    nothing() {}, ackAll(b) { b.ackAll(); }, retryAll(b) { b.retryAll({ delaySeconds: 7.2 }); },
    one(b) { b.messages[1].retry({ delaySeconds: 30 }); b.messages[2].retry(); },
    firstCounts(b) { const [x, y] = b.messages; x.ack(); x.retry(); y.retry(); y.ack(); b.retryAll(); b.ackAll(); },
    restLater(b) { b.ackAll(); b.messages[0].retry(); },
    throws() { throw new TypeError('no'); },
    ackedThenThrows(b) { b.messages[0].ack(); b.messages[1].retry({ delaySeconds: 5 }); throw new Error('half'); },
    allAckedThenThrows(b) { b.ackAll(); throw new Error('late'); },
    badDelay(b) { b.retryAll({ delaySeconds: 'soon' }); },
    background(b, env, ctx) { ctx.waitUntil(new Promise((done) => setTimeout(() => { b.messages[0].retry(); done(); }, 1))); },
    backgroundFails(b, env, ctx) { ctx.waitUntil(Promise.reject(new Error('behind'))); },
  };
  export default { async queue(batch, env, ctx) { return cases[batch.queue](batch, env, ctx); } };`);
  const of = async (name) => deliver(runtime, 'queue', { queue: name, messages: three });
  const all = [first, second, third].map((id) => ({ id }));
  for (const [name, wanted] of Object.entries({
    nothing: undefined, ackAll: undefined, retryAll: all.map((each) => ({ ...each, delay_s: 8 })),
    one: [{ id: second, delay_s: 30 }, { id: third }], firstCounts: [{ id: second }, { id: third }], restLater: undefined,
    ackedThenThrows: [{ id: second, delay_s: 5 }, { id: third }], allAckedThenThrows: undefined, background: [{ id: first }],
  })) {
    const answer = await of(name);
    assert.deepStrictEqual([answer.status, answer.json, answer.done], [200, wanted === undefined ? {} : { retry: wanted }, 1], name);
  }
  for (const [name, wanted] of Object.entries({ throws: 'TypeError: no', backgroundFails: 'Error: behind', badDelay: 'TypeError: delaySeconds must be a number of seconds, not soon' })) {
    const answer = await of(name);
    assert.deepStrictEqual([answer.status, answer.error.kind, answer.error.message, answer.done], [0, 'throw', wanted, 1], name);
    if (name !== 'backgroundFails') assert.match(answer.error.stack, /at .*index\.mjs:/);
  }
  const errors = runtime.logs.filter(({ level }) => level === 'error').map(({ text }) => text.split('\n')[0]);
  assert.deepStrictEqual(errors, ['Error: half', 'Error: late', 'waitUntil: Error: behind']);
});

test('scheduled(controller, env, ctx)', async (t) => {
  const runtime = start(t, `export default {
    fetch: () => new Response('fetched'),
    async scheduled(controller, env, ctx) {
      const { type, cron, timezone, scheduledTime, payload } = controller;
      if (payload === 'never') controller.noRetry();
      if (payload === 'never' || payload === 'fail') throw new RangeError('bad');
      if (payload === 'behind') ctx.waitUntil(Promise.reject(new Error('behind')));
      return { type, cron, timezone, scheduledTime, payload };
    } };`);
  assert.strictEqual((await runtime.ready()).form, 'fetch');
  const { status, json } = await schedule(runtime, { payload: [1] });
  assert.deepStrictEqual([status, json], [200,
    { type: 'scheduled', cron: '0 3 * * *', timezone: 'Europe/Berlin', scheduledTime: Date.parse(time), payload: [1] }]);
  assert.strictEqual((await schedule(runtime, { payload: 'fail' })).error.message, 'RangeError: bad');
  assert.strictEqual((await schedule(runtime, { payload: 'behind' })).error.message, 'Error: behind');
  const never = await schedule(runtime, { payload: 'never' });
  assert.deepStrictEqual([never.status, never.header('mayfly-retry'), never.json.detail], [500, 'never', 'RangeError: bad']);
  assert.match(runtime.logs.at(-1).text, /^RangeError: bad\n +at .*index\.mjs:/);
  assert.strictEqual((await runtime.get('/')).text, 'fetched');
});

test('where queue and scheduled may stand', async (t) => {
  for (const [files, form] of [
    [{ 'index.mjs': `export async function queue(b) { b.retryAll(); } export const scheduled = () => 's';` }, 'events'],
    [{ 'index.mjs': `export default class { constructor(ctx, env) { this.env = env; } queue(b) { this.env && b.retryAll(); } scheduled() { return 's'; } }` }, 'events'],
    [{ 'index.mjs': `export default { queue(b) { this.own(b); }, own(b) { b.retryAll(); }, scheduled: () => 's', fetch: () => new Response('') };` }, 'fetch'],
    [{ 'index.mjs': `export const handler = async () => 'h'; export const queue = (b) => b.retryAll(); export const scheduled = () => 's';` }, 'lambda'],
    [{ 'index.cjs': `module.exports = { queue(b) { b.retryAll(); }, scheduled: () => 's' };` }, 'events'],
    [{ 'index.cjs': `module.exports = (req, res) => res.end(); module.exports.queue = (b) => b.retryAll(); module.exports.scheduled = () => 's';` }, 'express'],
  ]) {
    const runtime = start(t, files);
    const source = Object.values(files)[0];
    assert.strictEqual((await runtime.ready()).form, form, source);
    assert.deepStrictEqual((await queue(runtime, [message(1)])).json, { retry: [{ id: first }] }, source);
    assert.strictEqual((await schedule(runtime)).json, 's', source);
  }
});

test('a function for events only refuses requests, and events it has no handler for', async (t) => {
  const runtime = start(t, `export default { queue() {} };`);
  const request = await runtime.get('/');
  assert.deepStrictEqual([request.status, request.header('content-type'), request.json.type, request.json.invocation],
    [404, 'application/problem+json', 'urn:mayfly:function:events-only', 'inv-1']);
  assert.strictEqual((await runtime.request('POST', '/', { kind: 'event', body: '{}' })).status, 404);
  assert.match((await schedule(runtime)).error.message, /has no scheduled\(/);
  const other = start(t, `export const scheduled = () => {};`);
  assert.match((await queue(other, three)).error.message, /has no queue\(/);
  assert.strictEqual((await schedule(other)).text, 'null');
});

test('only flag and header together make a delivery', async (t) => {
  const runtime = start(t, `export default { fetch: async (r) => new Response('fetched ' + await r.text()), queue() {}, scheduled() {} };`);
  assert.strictEqual((await runtime.request('POST', '/', { headers: { 'mayfly-event': 'queue' }, body: '{}' })).text, 'fetched {}');
  assert.strictEqual((await runtime.request('POST', '/', { kind: 'event', body: '{}' })).text, 'fetched {}');
  assert.strictEqual((await deliver(runtime, 'other', {})).text, 'fetched {}');
  const body = JSON.stringify({ queue: 'q', messages: three });
  const answer = runtime.begin('POST', '/', { kind: 'event', headers: { 'mayfly-event': 'queue' }, body: body.slice(0, 9), more: true });
  runtime.call('onBody', [answer.id, Buffer.from(body.slice(9))]);
  runtime.call('onBody', [answer.id, null]);
  assert.deepStrictEqual((await runtime.finished(answer)).json, {});
  assert.match((await deliver(runtime, 'queue', undefined, { body: '{' })).error.message, /^SyntaxError/);
});

test('a Lambda handler gets records, and answers for each', async (t) => {
  const runtime = start(t, `export const handler = async (event, context) => {
    if (event.source) return { event, id: context.awsRequestId };
    const [{ messageAttributes }] = event.Records;
    if (messageAttributes.act) return JSON.parse(messageAttributes.act.stringValue);
    if (messageAttributes.fail) throw new Error('whole');
    console.log(JSON.stringify(event));
  };`);
  assert.deepStrictEqual((await queue(runtime, [message(1, { attempts: 2 }), message(2, { data: undefined, data_base64: 'AP8=' })])).json, {});
  const { Records } = JSON.parse(runtime.logs[0].text);
  assert.deepStrictEqual(Records[0], { messageId: first, receiptHandle: first, body: '{"number":1}',
    attributes: { ApproximateReceiveCount: '2', SentTimestamp: `${Date.parse(time)}` },
    messageAttributes: Object.fromEntries(Object.entries(message(1).attributes).map(([k, v]) => [k, { stringValue: v, dataType: 'String' }])),
    eventSource: 'mayfly:queue', eventSourceARN: 'mayfly:topic:orders' });
  assert.deepStrictEqual([Records[1].body, Records[1].isBase64Encoded], ['AP8=', true]);
  const act = (result) => queue(runtime, [message(1, { attributes: { act: JSON.stringify(result) } }), message(2)]);
  for (const [result, wanted] of [
    [null, {}], [{}, {}], [{ batchItemFailures: [] }, {}], [{ batchItemFailures: null }, {}],
    [{ batchItemFailures: [{ itemIdentifier: second }, { itemIdentifier: second }] }, { retry: [{ id: second }] }],
  ]) assert.deepStrictEqual((await act(result)).json, wanted, JSON.stringify(result));
  for (const bad of [[{ itemIdentifier: '' }], [{ itemIdentifier: null }], [{ id: second }], [null], 'all'])
    assert.match((await act({ batchItemFailures: bad })).error?.message ?? 'none', /^TypeError: batchItemFailures/, JSON.stringify(bad));
  assert.strictEqual((await queue(runtime, [message(1, { attributes: { fail: 1 } })])).error.message, 'Error: whole');
  const scheduled = await schedule(runtime, { payload: { a: 1 } });
  assert.deepStrictEqual(scheduled.json, { id: scheduled.json.event.id, event: { version: '0', id: scheduled.json.id, source: 'mayfly.schedule',
    'detail-type': 'Scheduled Event', time, resources: ['0 3 * * *'], detail: { a: 1 } } });
  assert.deepStrictEqual((await schedule(runtime)).json.event.detail, {});
});

test('Lambda handlers that stream, call back or fail take events too', async (t) => {
  const streaming = start(t, `export const handler = awslambda.streamifyResponse(async (event, stream) => {
    if (event.Records.length > 1) throw new Error('early');
    stream.write('something'); stream.end();
  });`);
  assert.deepStrictEqual((await queue(streaming, [message(1)])).json, {});
  assert.strictEqual((await queue(streaming, three)).error.message, 'Error: early');
  const calling = start(t, { 'index.cjs': `exports.handler = (event, context, callback) => {
    if (event.Records.length > 1) callback(new Error('called'));
    else callback(null, { batchItemFailures: [{ itemIdentifier: event.Records[0].messageId }] });
  };` });
  assert.deepStrictEqual((await queue(calling, [message(1)])).json, { retry: [{ id: first }] });
  const failed = await queue(calling, three);
  assert.deepStrictEqual([failed.error.message, failed.done], ['Error: called', 1]);
});

const server = {
  fetch: [`export default { async fetch(request, env, ctx) {
    const { status, wait, after } = seen(request.method, new URL(request.url).pathname, Object.fromEntries(request.headers), await request.text());
    if (status === 0) throw new Error('thrown');
    if (wait) ctx.waitUntil(new Promise((done) => setTimeout(() => { console.log('waited'); done(); }, 1)));
    return new Response('body ' + status, { status, headers: after ? { 'retry-after': after } : {} });
  } };`],
  express: [`export default (req, res) => {
    let body = '';
    req.on('data', (chunk) => { body += chunk; }).on('end', () => {
      const { status, after } = seen(req.method, req.url, req.headers, body);
      if (status === 0) { res.destroy(new Error('thrown')); return; }
      if (after) res.setHeader('retry-after', after);
      res.statusCode = status;
      res.write('body '); setImmediate(() => res.end(String(status)));
    });
  };`],
};
for (const [form, [handler]] of Object.entries(server)) {
  test(`a function of the ${form} form gets each message as a CloudEvent over HTTP`, async (t) => {
    const runtime = start(t, `function seen(method, path, headers, body) {
      console.log(JSON.stringify({ method, path, headers, body }));
      return JSON.parse(headers['ce-act'] === undefined ? '{"status":202}' : decodeURIComponent(headers['ce-act']));
    }\n${handler}`);
    assert.strictEqual((await runtime.ready()).form, form);
    const acting = (number, act) => message(number, { attributes: { ...message(number).attributes, act: JSON.stringify(act) } });
    const attributes = { ...message(1).attributes, subject: 'Größe "50 %"', datacontenttype: 'text/plain;charset=utf-8', number: 5 };
    const several = await queue(runtime, [message(1, { attributes, data: 'wörter' }), message(2, { data: undefined }), acting(3, { status: 500 }),
      acting(4, { status: 503, after: '30' }), acting(5, { status: 0 }), acting(6, { status: 404, after: '9' }), acting(7, { status: 200, wait: true })]);
    const [one, two] = runtime.logs.slice(0, 2).map(({ text }) => JSON.parse(text));
    assert.deepStrictEqual([one.method, one.path, one.body], ['POST', '/', 'wörter']);
    assert.deepStrictEqual(one.headers, { host: 'example.com', 'ce-id': 'event-1', 'ce-source': '/test', 'ce-specversion': '1.0', 'ce-type': 'made',
      'ce-subject': 'Gr%C3%B6%C3%9Fe%20%2250%20%25%22', 'ce-number': '5', 'content-type': 'text/plain;charset=utf-8', 'content-length': '7' });
    assert.deepStrictEqual([two.headers['content-type'], two.headers['content-length'], two.body], [undefined, '0', '']);
    const ids = [3, 4, 5, 6].map((number) => message(number).id);
    assert.deepStrictEqual(several.json, { retry: [{ id: ids[0] }, { id: ids[1], delay_s: 30 }, { id: ids[2] }, { id: ids[3] }] });
    const errors = runtime.logs.filter(({ level }) => level === 'error').map(({ text }) => text.split('\n')[0]);
    assert.deepStrictEqual(errors, [`The message ${ids[0]} was answered with status 500`, `The message ${ids[1]} was answered with status 503`,
      `The message ${ids[2]} failed: Error: thrown`, `The message ${ids[3]} was answered with status 404`]);
    if (form === 'fetch') await runtime.until(() => runtime.logs.some(({ text }) => text === 'waited'));
    assert.strictEqual(several.done, 1);

    const good = await queue(runtime, [message(1)]);
    assert.deepStrictEqual([good.status, good.json], [200, {}]);
    const bad = await queue(runtime, [acting(1, { status: 429, after: '3' })]);
    assert.deepStrictEqual([bad.status, bad.header('retry-after'), bad.text, bad.done], [429, '3', 'body 429', 1]);
    const thrown = await queue(runtime, [acting(1, { status: 0 })]);
    assert.deepStrictEqual([thrown.error.kind, thrown.error.message, thrown.done], ['throw', 'Error: thrown', 1]);

    const answer = await schedule(runtime, { payload: { status: 1 } });
    assert.deepStrictEqual([answer.status, answer.text, answer.done], [202, 'body 202', 1]);
    const { headers, body, method, path } = JSON.parse(runtime.logs.at(-1).text);
    assert.deepStrictEqual([method, path, body], ['POST', '/', '{"status":1}']);
    assert.deepStrictEqual(headers, { host: 'example.com', 'ce-id': `inv-${answer.id}`, 'ce-source': '/schedules', 'ce-specversion': '1.0', 'ce-type': 'mayfly.schedule',
      'ce-time': time, 'ce-schedule': '0%203%20*%20*%20*', 'ce-timezone': 'Europe/Berlin', 'content-type': 'application/json', 'content-length': '12' });
  });
}

test('a delivery that is aborted ends with the message it is at', async (t) => {
  const runtime = start(t, `export default { async fetch(request) {
    console.log('begun ' + request.headers.get('ce-id'));
    await new Promise((done) => request.signal.addEventListener('abort', done));
    return new Response(request.signal.reason.name);
  } };`);
  const answer = runtime.begin('POST', '/', { kind: 'event', headers: { 'mayfly-event': 'queue' }, body: JSON.stringify({ queue: 'q', messages: three }) });
  await runtime.until(() => runtime.logs.length === 1);
  runtime.call('onAbort', [answer.id, 'deadline']);
  await runtime.finished(answer);
  assert.deepStrictEqual(runtime.logs.map(({ text }) => text), ['begun event-1']);
  assert.match(answer.error.message, /deadline/);
});
