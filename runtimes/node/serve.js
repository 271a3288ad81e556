'use strict';
// The serving end of an instance: turns the addon's callbacks into calls on invocations.

const { AsyncLocalStorage } = require('async_hooks');
const bridge = require('./bridge.js');
const { Invocation } = require('./invocation.js');
const { callbacks } = require('./call.js');

const open = new Map();  // id -> invocation whose handler has returned but whose slot is not free
let handle = null;
let handleEvent = null;
let running = null;      // the invocation whose handler is being called right now
let stopping = false;
let stopped = null;      // what to do when everything is done after onStop
let idle = null;         // called when the last open invocation is done
let scope = null;        // an AsyncLocalStorage that carries the invocation's id, once one is needed

function onRequest(id, method, target, head, body, more, info) {
  const invocation = new Invocation(id, method, target, head, body, more, info);
  running = invocation;
  const serveIt = invocation.isEvent ? handleEvent : handle;
  if (scope === null) serveIt(invocation);
  else scope.run(id, serveIt, invocation);
  running = null;
  if (invocation.finished) {
    if (open.size === 0) idle();
    return;
  }
  open.set(id, invocation);
  invocation.onFinished = onFinished;
}

function onFinished() {
  open.delete(this.id);
  if (open.size > 0) return;
  idle();
  if (stopping) stopped();
}

function onBody(id, chunk) {
  open.get(id)?.feed?.push(chunk);
}

function onAbort(id, reason) {
  open.get(id)?.abort(reason);
}

function onWritable(id) {
  open.get(id)?.opened();
}

function onStop() {
  stopping = true;
  if (open.size === 0) stopped();
}

/**
 * The id of the invocation that the running code belongs to; 0 when that is not known. To tell several
 * apart after an await costs every request something, so that begins when it is first asked for.
 */
function current() {
  if (running !== null) return running.id;
  const known = scope?.getStore();
  if (known !== undefined) return known;
  if (open.size === 1) return open.keys().next().value;
  if (open.size > 1) scope ??= new AsyncLocalStorage();
  return 0;
}

/**
 * Serve requests with `serveInvocation` (from a handler form), events with `serveEvent`. options: `onIdle()`
 * when no invocation is left, `onStopped()` when none is left after the daemon said stop.
 */
function start(serveInvocation, serveEvent, options) {
  handle = serveInvocation;
  handleEvent = serveEvent;
  idle = options.onIdle;
  stopped = options.onStopped;
  scope = null;
  bridge.addon.serve({ onRequest, onBody, onAbort, onWritable, onStop, ...callbacks });
}

module.exports = { start, current };
