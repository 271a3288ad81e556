'use strict';
// Loads a function's code: imports the entry, lets what its init started come to an end, and says what
// would not survive a fork.

const fs = require('fs');
const path = require('path');
const Module = require('module');
const { pathToFileURL } = require('url');
const { findHandler, MissingExport } = require('./handler.js');
const { cleanStack, placeOf } = require('./errors.js');
const { revealPlace } = require('./syntax-place.js');

const settleTime = 2000;  // ms that init may go on after the module has been evaluated

const LISTENING = 'init left a server listening';
// Kinds of what keeps an event loop alive (process.getActiveResourcesInfo) that a fork cannot share.
const unsharable = {
  MessagePort: 'init left a message port open',
  MESSAGEPORT: 'init left a message port open',
  TCPServerWrap: LISTENING,
  TCPSocketWrap: 'init left a TCP socket open',
  TLSWrap: 'init left a TLS connection open',
  TCPWRAP: 'init left a TCP socket open',
  TCPSERVERWRAP: LISTENING,
  PipeWrap: 'init left a pipe or Unix socket open',
  PIPEWRAP: 'init left a pipe or Unix socket open',
  PIPESERVERWRAP: LISTENING,
  UDPWRAP: 'init left a UDP socket open',
  UDPWrap: 'init left a UDP socket open',
  ProcessWrap: 'init left a child process running',
  PROCESSWRAP: 'init left a child process running',
  FSEventWrap: 'init left a file watcher running',
  FSEVENTWRAP: 'init left a file watcher running',
  StatWatcher: 'init left a file watcher running',
  STATWATCHER: 'init left a file watcher running',
};
// What waits on its own for the time to pass, or for nothing: neither awaited nor a reason.
const harmless = new Set(['Timeout', 'Immediate', 'SignalWrap', 'SIGNALWRAP', 'TTYWrap', 'TickObject', 'CloseReq',
  'FileHandle', 'ELDHISTOGRAM']);

let baseline = [];
const workers = new Set();  // threads are not among the resources

/** What the runtime itself keeps; call before any user code. */
function rememberBaseline() {
  baseline = process.getActiveResourcesInfo();
  process.on('worker', (worker) => {
    workers.add(worker);
    worker.on('exit', () => workers.delete(worker));
  });
}

function activeResources() {
  const kinds = process.getActiveResourcesInfo();
  for (const kind of baseline) {
    const at = kinds.indexOf(kind);
    if (at !== -1) kinds.splice(at, 1);
  }
  return kinds;
}

function turn() {
  return new Promise((resolve) => { setImmediate(resolve); });
}

/** Wait until nothing is under way that would be lost in a fork (reads, look-ups, requests), for a while. */
async function settle() {
  const until = Date.now() + settleTime;
  const busy = () => activeResources().some((kind) => !harmless.has(kind) && !(kind in unsharable && !/Socket|TLS|TCPWRAP/.test(kind)));
  await turn();
  while (busy() && Date.now() < until) await new Promise((resolve) => { setTimeout(resolve, 1); });
}

/** Close what Node keeps open by itself: the keep-alive pools of its HTTP clients. */
async function closePools() {
  if (loadedBuiltin('http')) require('http').globalAgent.destroy();
  if (loadedBuiltin('https')) require('https').globalAgent.destroy();
  await renewDispatcher();
  await turn();
}

/** fetch's pool of connections; newer versions keep a wrapper for older packages beside it. */
async function renewDispatcher() {
  const newer = Symbol.for('undici.globalDispatcher.2'), older = Symbol.for('undici.globalDispatcher.1');
  const pool = globalThis[newer] ?? globalThis[older];
  if (pool?.constructor?.name !== 'Agent') return;  // none, or one that the code has set itself
  const fresh = new pool.constructor();
  if (globalThis[newer] === undefined) {
    globalThis[older] = fresh;
  } else {
    const wrapper = globalThis[older]?.constructor;
    globalThis[newer] = fresh;
    if (wrapper !== undefined) globalThis[older] = wrapper === pool.constructor ? fresh : new wrapper(fresh);
  }
  await pool.destroy().catch(() => {});
}

function loadedBuiltin(name) {
  return process.moduleLoadList.includes(`NativeModule ${name}`);
}

/** Reasons (fixed sentences) why a fork of this process would not be sound. */
function unsafeReasons() {
  const kinds = activeResources();
  const reasons = kinds.filter((kind) => kind in unsharable).map((kind) => unsharable[kind]);
  if (workers.size > 0) reasons.push('init left a worker thread running');
  return [...new Set(reasons)];
}

function isCommonJs(file) {
  return file in Module._cache;
}

/**
 * Import the entry of `configuration` ({root, entry, handler, form}). Returns {form, handler, name}.
 * Rejects with whatever the code threw; describeFailure() makes a report of it.
 */
async function load(configuration) {
  const file = fs.realpathSync(path.resolve(configuration.root, configuration.entry));
  const namespace = await import(pathToFileURL(file));
  return findHandler(namespace, isCommonJs(file), configuration.handler, configuration.form);
}

/** {kind, message, stack, file?, line?} of what load() rejected with. */
function describeFailure(error, configuration) {
  if (error instanceof SyntaxError && placeOf(error).file === undefined) revealPlace(error);
  const report = { kind: 'init', message: messageOf(error), stack: cleanStack(error), ...placeOf(error) };
  if (error instanceof MissingExport) {
    if (activeResources().some((kind) => unsharable[kind] === LISTENING)) report.message += ' The code listens on a port of its own: export the application instead.';
    return { ...report, kind: 'export', stack: '', file: configuration.entry, line: undefined };
  }
  if (error instanceof SyntaxError) {
    // A SyntaxError from JSON.parse in somebody's init has no place of its own: that is init.
    if (/^\S+:\d+\n/.test(error.stack ?? '')) report.kind = 'syntax';
    if (/Cannot use import statement|Unexpected token 'export'/.test(error.message)) {
      report.kind = 'syntax';
      report.message += '. The file is an ES module: name it .mjs, or put {"type": "module"} into its package.json';
    }
  }
  return report;
}

function messageOf(error) {
  if (error === null || typeof error !== 'object' || !('message' in error)) return `Thrown: ${String(error)}`;
  return `${error.name ?? 'Error'}: ${error.message}`;
}

module.exports = { load, settle, closePools, unsafeReasons, rememberBaseline, describeFailure };
