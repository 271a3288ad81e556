'use strict';
// The same assertions against Node's own Request, Response and Headers and against ours: whatever Node
// does, ours must do. A case is a function of the classes; its value, or the kind of its error, is compared.

const test = require('node:test');
const assert = require('node:assert');

const theirs = { Request, Response, Headers };
require('../fetch-global.js').install();
const ours = { Request: globalThis.Request, Response: globalThis.Response, Headers: globalThis.Headers };

const pairs = (headers) => [...headers];
const stream = (...chunks) => new ReadableStream({ start(c) { for (const chunk of chunks) c.enqueue(chunk); c.close(); } });
const bytes = (text) => new TextEncoder().encode(text);
const post = (body, headers) => ['http://h/p', { method: 'POST', body, headers, duplex: 'half' }];

// Newer than some versions of Node; and a slip in Node's own Request.
const notEverywhere = ['bytes', 'textStream', 'attribute'];
const membersOf = (names) => names.filter((name) => !notEverywhere.includes(name)).sort();

const headersCases = {
  'record': ({ Headers }) => pairs(new Headers({ 'X-B': '1', a: '  2\t', 'Content-Type': 'x' })),
  'pairs, repeated names': ({ Headers }) => pairs(new Headers([['a', '1'], ['A', '2'], ['b', '3']])),
  'of Headers': ({ Headers }) => pairs(new Headers(new Headers({ a: '1' }))),
  'of the other kind': ({ Headers }, other) => pairs(new Headers(new other.Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2']]))),
  'of a Map': ({ Headers }) => pairs(new Headers(new Map([['a', '1']]))),
  'append, set, delete': ({ Headers }) => {
    const h = new Headers({ a: '1' });
    h.append('A', '2');
    h.set('b', 'x');
    h.append('b', 'y');
    h.set('B', 'z');
    h.delete('a');
    return [pairs(h), h.get('b'), h.get('a'), h.has('B')];
  },
  'several cookies': ({ Headers }) => {
    const h = new Headers([['set-cookie', 'a=1'], ['x', 'y'], ['Set-Cookie', 'b=2']]);
    return [h.getSetCookie(), h.get('set-cookie'), pairs(h)];
  },
  'set replaces all cookies': ({ Headers }) => {
    const h = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['set-cookie', 'c=3']]);
    h.set('set-cookie', 'd=4');
    return h.getSetCookie();
  },
  'forEach, keys, values': ({ Headers }) => {
    const h = new Headers({ b: '1', a: '2' }), seen = [];
    h.forEach((value, name, self) => seen.push([name, value, self === h]));
    return [seen, [...h.keys()], [...h.values()], [...h.entries()]];
  },
  'numbers and undefined become text': ({ Headers }) => pairs(new Headers({ a: 1, b: undefined, c: null })),
  'empty name': ({ Headers }) => new Headers({ '': 'x' }),
  'name with a space': ({ Headers }) => new Headers().append('a b', 'x'),
  'value with a line end': ({ Headers }) => new Headers({ a: 'x\ny' }),
  'value with NUL': ({ Headers }) => new Headers().set('a', 'x\0y'),
  'value beyond Latin-1': ({ Headers }) => new Headers({ a: '\u20ac' }),
  'value in Latin-1': ({ Headers }) => new Headers({ a: '\u00e9' }).get('a'),
  'has with a bad name': ({ Headers }) => new Headers().has('('),
  'null': ({ Headers }) => new Headers(null),
  'a string': ({ Headers }) => new Headers('a'),
  'a pair of three': ({ Headers }) => new Headers([['a', 'b', 'c']]),
  'get without name': ({ Headers }) => new Headers().get(),
  'set without value': ({ Headers }) => new Headers().set('a'),
  'forEach without function': ({ Headers }) => new Headers().forEach(1),
  'inherited properties': ({ Headers }) => pairs(new Headers(Object.create({ a: '1' }, { b: { value: '2', enumerable: true } }))),
  'tag': ({ Headers }) => Object.prototype.toString.call(new Headers()),
};

const responseCases = {
  'defaults': ({ Response }) => {
    const r = new Response();
    return [r.status, r.statusText, r.ok, r.type, r.url, r.redirected, r.body, r.bodyUsed, pairs(r.headers)];
  },
  'string': async ({ Response }) => {
    const r = new Response('h\u00e9');
    return [pairs(r.headers), r.bodyUsed, await r.text(), r.bodyUsed];
  },
  'status, text, headers': ({ Response }) => {
    const r = new Response('x', { status: 418, statusText: 'I am', headers: { 'Content-Type': 'text/html' } });
    return [r.status, r.statusText, r.ok, pairs(r.headers)];
  },
  'init of another response': ({ Response }) => {
    const r = new Response('x', new Response('y', { status: 201, headers: { a: 'b' } }));
    return [r.status, pairs(r.headers)];
  },
  'init of the other kind': ({ Response }, other) => {
    const r = new Response('x', new other.Response('y', { status: 201, headers: { a: 'b' } }));
    return [r.status, pairs(r.headers)];
  },
  'bytes': async ({ Response }) => [pairs(new Response(bytes('abc')).headers), await new Response(bytes('abc')).text()],
  'bytes are copied': async ({ Response }) => {
    const data = bytes('abc'), r = new Response(data);
    data[0] = 120;
    return r.text();
  },
  'ArrayBuffer': async ({ Response }) => new Response(bytes('abc').buffer).text(),
  'view of a part': async ({ Response }) => new Response(new DataView(bytes('abcdef').buffer, 2, 3)).text(),
  'Blob': async ({ Response }) => {
    const r = new Response(new Blob(['a', 'b'], { type: 'text/css' }));
    return [pairs(r.headers), await r.text()];
  },
  'URLSearchParams': async ({ Response }) => {
    const r = new Response(new URLSearchParams({ a: '1 2' }));
    return [pairs(r.headers), await r.text()];
  },
  'FormData': async ({ Response }) => {
    const form = new FormData();
    form.append('a', '1');
    form.append('f', new Blob(['x'], { type: 'text/plain' }), 'f.txt');
    const r = new Response(form);
    const back = await r.clone().formData();
    return [/^multipart\/form-data; boundary=/.test(r.headers.get('content-type')), back.get('a'), await back.get('f').text()];
  },
  'stream': async ({ Response }) => {
    const r = new Response(stream(bytes('a'), bytes('b')));
    return [pairs(r.headers), await r.text(), r.bodyUsed];
  },
  'stream that gives text': async ({ Response }) => new Response(stream('a')).text(),
  'async iterable': async ({ Response }) => new Response((async function* () { yield bytes('a'); yield bytes('b'); })()).text(),
  'locked stream': ({ Response }) => {
    const s = stream(bytes('a'));
    s.getReader();
    return new Response(s);
  },
  'read stream': async ({ Response }) => {
    const s = stream(bytes('a'));
    await new Response(s).text();
    return new Response(s);
  },
  'number and object bodies': async ({ Response }) => [await new Response(12).text(), await new Response({}).text()],
  'json': async ({ Response }) => new Response('{"a":[1]}').json(),
  'json that is none': async ({ Response }) => new Response('{').json(),
  'json of nothing': async ({ Response }) => new Response().json(),
  'arrayBuffer': async ({ Response }) => {
    const b = await new Response('abc').arrayBuffer();
    return [b instanceof ArrayBuffer, b.byteLength];
  },
  'blob': async ({ Response }) => {
    const b = await new Response('abc', { headers: { 'content-type': 'Text/HTML;Charset="utf-8"' } }).blob();
    return [b.size, b.type.replaceAll('"', '')];
  },
  'blob without type': async ({ Response }) => (await new Response(bytes('abc')).blob()).type,
  'formData of urlencoded': async ({ Response }) => [...await new Response(new URLSearchParams('a=1&b=2')).formData()],
  'formData of plain text': async ({ Response }) => new Response('a=1').formData(),
  'text twice': async ({ Response }) => {
    const r = new Response('a');
    await r.text();
    return r.text();
  },
  'text of no body twice': async ({ Response }) => {
    const r = new Response();
    return [await r.text(), await r.text(), r.bodyUsed];
  },
  'byte order mark': async ({ Response }) => [await new Response('\ufeffa').text(), await new Response('\ud800').text()],
  'invalid UTF-8': async ({ Response }) => new Response(new Uint8Array([0x61, 0xff, 0xc3])).text(),
  'body as stream': async ({ Response }) => {
    const r = new Response('abc'), chunks = [];
    const same = r.body === r.body;
    for await (const chunk of r.body) chunks.push(Buffer.from(chunk).toString());
    return [same, chunks.join(''), r.bodyUsed];
  },
  'body with a reader': async ({ Response }) => {
    const r = new Response('abc'), reader = r.body.getReader();
    const before = r.bodyUsed;
    const { value } = await reader.read();
    return [before, value instanceof Uint8Array, Buffer.from(value).toString(), r.bodyUsed, (await reader.read()).done];
  },
  'text of a locked body': async ({ Response }) => {
    const r = new Response('abc');
    r.body.getReader();
    return r.text();
  },
  'body after text': async ({ Response }) => {
    const r = new Response('abc');
    await r.text();
    return [r.body instanceof ReadableStream, r.bodyUsed];
  },
  'empty string': async ({ Response }) => {
    const r = new Response('');
    return [r.body !== null, await r.text(), pairs(r.headers)];
  },
  'clone': async ({ Response }) => {
    const r = new Response('abc', { status: 201, statusText: 'ok', headers: { a: 'b' } }), c = r.clone();
    c.headers.set('a', 'c');
    return [await r.text(), await c.text(), r.headers.get('a'), c.headers.get('a'), c.status, c.statusText];
  },
  'clone of a stream': async ({ Response }) => {
    const r = new Response(stream(bytes('a'), bytes('b'))), c = r.clone();
    return [await c.text(), await r.text()];
  },
  'clone of a body asked for as stream': async ({ Response }) => {
    const r = new Response('abc');
    r.body;
    const c = r.clone();
    return [await c.text(), await r.text()];
  },
  'clone after use': async ({ Response }) => {
    const r = new Response('abc');
    await r.text();
    return r.clone();
  },
  'json()': async ({ Response }) => {
    const r = Response.json({ a: 1 }, { status: 201, headers: { x: 'y' } });
    return [r.status, pairs(r.headers), await r.text()];
  },
  'json() with a type': ({ Response }) => pairs(Response.json(1, { headers: { 'Content-Type': 'application/problem+json' } }).headers),
  'json() of undefined': ({ Response }) => Response.json(undefined),
  'json() with 204': ({ Response }) => Response.json(1, { status: 204 }),
  'redirect()': ({ Response }) => {
    const r = Response.redirect('http://a/b c', 301);
    return [r.status, pairs(r.headers), r.body];
  },
  'redirect() is immutable': ({ Response }) => Response.redirect('http://a').headers.set('a', 'b'),
  'redirect() with 200': ({ Response }) => Response.redirect('http://a', 200),
  'redirect() to nowhere': ({ Response }) => Response.redirect('http://'),
  'error()': ({ Response }) => {
    const r = Response.error();
    return [r.status, r.type, r.ok];
  },
  'error() is immutable': ({ Response }) => Response.error().headers.set('a', 'b'),
  'status 199': ({ Response }) => new Response('', { status: 199 }),
  'status 600': ({ Response }) => new Response('', { status: 600 }),
  'status 0': ({ Response }) => new Response('', { status: 0 }),
  'status as text': ({ Response }) => new Response('', { status: '201' }).status,
  'status text with a line end': ({ Response }) => new Response('', { statusText: 'a\nb' }),
  '204 with a body': ({ Response }) => new Response('a', { status: 204 }),
  '304 with an empty body': ({ Response }) => new Response('', { status: 304 }),
  '204 without a body': ({ Response }) => new Response(null, { status: 204 }).status,
  'init null': ({ Response }) => new Response('a', null).status,
  'init a number': ({ Response }) => new Response('a', 5),
  'headers a number': ({ Response }) => new Response('a', { headers: 5 }),
  'mutation': ({ Response }) => {
    const r = new Response('a');
    r.headers.set('x', 'y');
    r.headers.append('set-cookie', 'a=1');
    r.headers.append('set-cookie', 'b=2');
    r.headers.delete('content-type');
    return pairs(r.headers);
  },
  'status cannot be assigned': ({ Response }) => {
    new Response().status = 201;
  },
  'same headers object': ({ Response }) => {
    const r = new Response('a');
    return r.headers === r.headers;
  },
  'tag': ({ Response }) => [Object.prototype.toString.call(new Response()), new Response().constructor.name],
  'spread shows nothing': ({ Response }) => Object.keys(new Response('a')),
  'for in': ({ Response }) => {
    const names = [];
    for (const name in new Response()) names.push(name);
    return membersOf(names);
  },
  'subclass': async ({ Response }) => {
    class Mine extends Response { get x() { return 1; } }
    const r = new Mine('a');
    return [r instanceof Mine, r instanceof Response, r.x, new Response() instanceof Mine, await r.text()];
  },
  'without new': ({ Response }) => Response('a'),
};

const requestCases = {
  'defaults': ({ Request }) => {
    const r = new Request('http://h/a b?c#d');
    return [r.method, r.url, r.mode, r.credentials, r.cache, r.redirect, r.referrer, r.referrerPolicy, r.integrity, r.keepalive,
      r.destination, r.duplex, r.body, r.bodyUsed, pairs(r.headers), r.signal.aborted, r.isHistoryNavigation, r.isReloadNavigation];
  },
  'of a URL': ({ Request }) => new Request(new URL('http://h/x')).url,
  'methods': ({ Request }) => ['get', 'post', 'patch', 'pUt', 'x-own'].map((method) => new Request('http://h', { method }).method),
  'method TRACE': ({ Request }) => new Request('http://h', { method: 'TRACE' }),
  'method with a space': ({ Request }) => new Request('http://h', { method: 'A B' }),
  'relative URL': ({ Request }) => new Request('/a'),
  'URL with credentials': ({ Request }) => new Request('http://a:b@h/'),
  'no argument': ({ Request }) => new Request(),
  'body': async ({ Request }) => {
    const r = new Request(...post('{"a":1}'));
    return [pairs(r.headers), await r.json(), r.bodyUsed];
  },
  'body with type': ({ Request }) => pairs(new Request(...post('a', { 'content-type': 'x/y' })).headers),
  'stream body': async ({ Request }) => new Request(...post(stream(bytes('a')))).text(),
  'stream body without duplex': ({ Request }) => new Request('http://h', { method: 'POST', body: stream() }),
  'GET with a body': ({ Request }) => new Request('http://h', { body: 'a' }),
  'HEAD with a body': ({ Request }) => new Request('http://h', { method: 'HEAD', body: 'a' }),
  'formData': async ({ Request }) => {
    const form = new FormData();
    form.append('a', 'b');
    return [...await new Request(...post(form)).formData()];
  },
  'of a request': async ({ Request }) => {
    const from = new Request(...post('abc', { a: 'b' }));
    const r = new Request(from, { headers: { c: 'd' } });
    return [r.method, r.url, pairs(r.headers), from.bodyUsed, await r.text()];
  },
  'of a request, headers kept and copied': ({ Request }) => {
    const from = new Request('http://h', { headers: { a: 'b' } }), r = new Request(from);
    r.headers.set('a', 'c');
    return [from.headers.get('a'), r.headers.get('a')];
  },
  'of a used request': async ({ Request }) => {
    const from = new Request(...post('abc'));
    await from.text();
    return new Request(from);
  },
  'of a request with another body': async ({ Request }) => {
    const from = new Request(...post('abc'));
    const r = new Request(from, { body: 'def' });
    return [await r.text(), from.bodyUsed];
  },
  'of a POST request as GET': ({ Request }) => new Request(new Request(...post('abc')), { method: 'GET' }),
  'with a request as init': ({ Request }) => {
    const r = new Request('http://h/2', new Request('http://h/1', { method: 'DELETE', headers: { a: 'b' } }));
    return [r.url, r.method, pairs(r.headers)];
  },
  'clone': async ({ Request }) => {
    const r = new Request(...post('abc', { a: 'b' })), c = r.clone();
    c.headers.set('a', 'c');
    return [await r.text(), await c.text(), r.headers.get('a'), c.headers.get('a'), c.method, c.url];
  },
  'clone after use': async ({ Request }) => {
    const r = new Request(...post('abc'));
    await r.text();
    return r.clone();
  },
  'clone with a locked body': ({ Request }) => {
    const r = new Request(...post('abc'));
    r.body.getReader();
    return r.clone();
  },
  'signal': ({ Request }) => {
    const controller = new AbortController(), r = new Request('http://h', { signal: controller.signal });
    const before = r.signal.aborted;
    controller.abort();
    return [before, r.signal.aborted];
  },
  'signal null': ({ Request }) => new Request('http://h', { signal: null }).signal.aborted,
  'signal that is none': ({ Request }) => new Request('http://h', { signal: {} }),
  'options': ({ Request }) => {
    const r = new Request('http://h', { cache: 'no-store', redirect: 'manual', credentials: 'omit', mode: 'same-origin',
      keepalive: true, referrerPolicy: 'origin', integrity: 'x' });
    return [r.cache, r.redirect, r.credentials, r.mode, r.keepalive, r.referrerPolicy, r.integrity, new Request(r).cache];
  },
  'options that are none': ({ Request }) => new Request('http://h', { redirect: 'sometimes' }),
  'cache without mode': ({ Request }) => new Request('http://h', { cache: 'only-if-cached' }),
  'method cannot be assigned': ({ Request }) => {
    new Request('http://h').method = 'POST';
  },
  'tag': ({ Request }) => [Object.prototype.toString.call(new Request('http://h')), new Request('http://h').constructor.name],
  'for in': ({ Request }) => {
    const names = [];
    for (const name in new Request('http://h')) names.push(name);
    return membersOf(names);
  },
};

async function outcome(run, classes, other) {
  try {
    return { value: await run(classes, other) };
  } catch (error) {
    return { throws: error.name };
  }
}

for (const [what, cases] of Object.entries({ Headers: headersCases, Response: responseCases, Request: requestCases })) {
  for (const [name, run] of Object.entries(cases)) {
    test(`${what}: ${name}`, async () => {
      const wanted = await outcome(run, theirs, ours);
      const got = await outcome(run, ours, theirs);
      if ('value' in got && got.value instanceof ours[what]) got.value = 'object';
      if ('value' in wanted && wanted.value instanceof theirs[what]) wanted.value = 'object';
      assert.deepStrictEqual(got, wanted);
    });
  }
}

test('instanceof, both ways', async () => {
  for (const name of ['Request', 'Response', 'Headers']) {
    const argument = name === 'Request' ? 'http://h' : undefined;
    const light = new ours[name](argument), native = new theirs[name](argument);
    for (const value of [light, native]) {
      assert.ok(value instanceof ours[name]);
      assert.ok(value instanceof theirs[name]);
    }
    for (const value of [{}, null, 1, new Map(), Object.create(null)]) assert.ok(!(value instanceof ours[name]));
    assert.ok(!(new ours.Headers() instanceof ours.Response));
  }
});

test('our Request takes one of Node\'s', async () => {
  const r = new ours.Request(new theirs.Request(...post('abc', { a: 'b' })));
  assert.deepStrictEqual([r.method, r.url, r.headers.get('a'), await r.text()], ['POST', 'http://h/p', 'b', 'abc']);
});

test('bytes and textStream, whatever the version of Node', async () => {
  assert.deepStrictEqual(await new ours.Response('abc').bytes(), bytes('abc'));
  let text = '';
  for await (const part of new ours.Response(stream(bytes('h\u00e9').slice(0, 2), bytes('h\u00e9').slice(2))).textStream()) text += part;
  assert.strictEqual(text, 'h\u00e9');
});

test('fetch takes our requests and headers, and its answers are Responses', async (t) => {
  const server = require('http').createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    res.setHeader('x-seen', `${req.method} ${req.headers.a}`);
    res.end(body.toUpperCase());
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => server.close());
  t.after(() => server.closeAllConnections());
  const url = `http://127.0.0.1:${server.address().port}/`;
  const request = new ours.Request(url, { method: 'POST', body: 'abc', headers: { a: 'b' } });
  const response = await fetch(request);
  assert.ok(request.bodyUsed);
  assert.ok(response instanceof ours.Response);
  assert.strictEqual(response.headers.get('x-seen'), 'POST b');
  assert.strictEqual(await response.text(), 'ABC');
  const second = await fetch(url, { headers: new ours.Headers({ a: 'c' }) });
  assert.strictEqual(second.headers.get('x-seen'), 'GET c');
  const again = new ours.Response(second.body, second);
  assert.strictEqual(again.headers.get('x-seen'), 'GET c');
  const third = await fetch(url, new ours.Request(url, { method: 'PUT', body: 'x', headers: { a: 'd' } }));
  assert.strictEqual(third.headers.get('x-seen'), 'PUT d');
  await assert.rejects(fetch(new ours.Request(url, { signal: AbortSignal.abort() })), { name: 'AbortError' });
});
