'use strict';
// Runs the bridge's own code on invented requests, so that every fork is born with it compiled and
// optimised, and touches what Node loads lazily and nearly every function needs. The fetch stack is not
// among that: it would make every fork slower (fetch-native.js).

const fs = require('fs');
const bridge = require('./bridge.js');
const { Invocation } = require('./invocation.js');

const rounds = 3000;
const head = 'host\0localhost:8080\0user-agent\0warm-up\0accept\0*/*\0content-type\0application/json\0';
const info = '0\x000\x00127.0.0.1\0http\0\0http';

// Two of each, used in turn, keep the call sites of the addon general: its own functions come later.
const silent = (even) => ({
  respond: even ? () => {} : () => undefined,
  respondStart() {}, respondChunk() { return true; }, respondEnd() {}, respondError() {}, requestCredit() {},
  done() {}, log() {}, serve() {},
});

function handlers() {
  return [
    { fetch: () => new Response('hello') },
    { fetch: async () => new Response('hello', { headers: { 'content-type': 'text/plain' } }) },
    { fetch(request) {
      const url = new URL(request.url);
      return Response.json({ path: url.pathname, agent: request.headers.get('user-agent') }, { status: 200, headers: { 'x-a': 'b' } });
    } },
    { async fetch(request) {
      const body = request.method === 'POST' ? await request.json() : null;
      return new Response(JSON.stringify(body), { status: 201, headers: new Headers({ 'content-type': 'application/json' }) });
    } },
  ];
}

/** The loader of ES modules, file reads (and with them the worker threads of libuv), timers. */
async function touchLoader() {
  await import('./warmup-entry.mjs');
  await fs.promises.readFile(__filename);
  await new Promise((resolve) => { setTimeout(resolve, 1); });
}

async function warmUp(forms) {
  const addon = bridge.addon;
  const addons = [silent(true), silent(false)];
  const body = Buffer.from('{"a":1}');
  for (const handler of handlers()) {
    const serve = forms.fetch.start(handler, { env: {} });
    for (let i = 0; i < rounds; ++i) {
      bridge.addon = addons[i % 2];
      if (i % 100 === 99) await null;  // let async handlers answer
      serve(new Invocation(i, i % 4 === 3 ? 'POST' : 'GET', '/path?a=b', head, i % 4 === 3 ? body : undefined, false, info));
    }
  }
  await touchLoader();
  bridge.addon = addon;
  new AbortController().signal.aborted;
  new ReadableStream({ type: 'bytes' });
}

module.exports = { warmUp };
