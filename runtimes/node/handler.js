'use strict';
// Finds the handler among a module's exports and tells which form it has.

const forms = ['fetch', 'lambda', 'express'];
const events = ['queue', 'scheduled'];  // handlers of events, which stand beside that of requests or alone

class MissingExport extends Error {
  name = 'MissingExport';
}

/** The exports as name -> value, whatever module system they come from. */
function exportsOf(namespace, isCommonJs) {
  if (!isCommonJs) return namespace;
  const exported = namespace.default;
  if (exported !== null && typeof exported === 'object' && typeof exported.fetch !== 'function') {
    // `exports.handler = ...`, or compiled ES modules (then `default` is among them)
    return exported;
  }
  return typeof exported === 'function' ? Object.assign({}, exported, { default: exported.default ?? exported })
    : { default: exported };
}

function isCallable(value) {
  return typeof value === 'function' ||
    (value !== null && typeof value === 'object' && ['fetch', ...events].some((name) => typeof value[name] === 'function'));
}

/** Edit distance, for suggestions. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; ++i) {
    const next = [i];
    for (let j = 1; j <= b.length; ++j)
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

function missing(wanted, exports, found) {
  const names = Object.keys(exports);
  const there = names.length === 0 ? 'The module exports nothing.' : `It exports: ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}.`;
  const callable = names.filter((name) => isCallable(exports[name]));
  const near = callable.map((name) => [distance(name.toLowerCase(), wanted.toLowerCase()), name])
    .sort(([a], [b]) => a - b)[0];
  let hint = 'Export a handler: export default { fetch(request, env, ctx) { ... } }.';
  if (near !== undefined && (near[0] <= 2 || (wanted === 'default' && callable.length === 1))) hint = `Did you mean handler = "${near[1]}"?`;
  else if (callable.length > 8) hint = 'If that is an application (Express, Fastify, Koa), export a function (request, response): for Koa, app.callback().';
  else if (callable.length > 0) hint = `Set handler to one of: ${callable.join(', ')}.`;
  const what = found === undefined ? `There is no export "${wanted}".`
    : `The export "${wanted}" is ${found === null ? 'null' : `of type ${typeof found}`}, not a handler.`;
  return new MissingExport(`${what} ${there} ${hint}`);
}

function choose(exports, wanted) {
  const direct = exports[wanted];
  if (isCallable(direct)) return [wanted, direct];
  if (wanted !== 'default') {
    const last = wanted.slice(wanted.lastIndexOf('.') + 1);  // Lambda's "file.export"
    if (isCallable(exports[last])) return [last, exports[last]];
    throw missing(wanted, exports, direct);
  }
  // A compiled default inside a default (CommonJS seen through an ES module).
  if (isCallable(direct?.default)) return ['default', direct.default];
  for (const name of ['handler', 'fetch', ...events]) if (isCallable(exports[name])) return [name, exports[name]];
  throw missing(wanted, exports, direct);
}

/** The names of a function's parameters, as far as they are plain names. */
function parameterNames(f) {
  const source = Function.prototype.toString.call(f).replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, '');
  const single = /^(?:async\s+)?([\w$]+)\s*=>/.exec(source);
  if (single) return [single[1]];
  const list = /^[^(]*\(([^)]*)\)/.exec(source);
  return list ? list[1].split(',').map((part) => part.trim().replace(/\s*=.*$/, '')) : [];
}

const streamed = Symbol.for('mayfly.lambda.stream');

function formOf(name, value) {
  if (events.includes(name)) return 'events';
  if (typeof value !== 'function') return typeof value.fetch === 'function' ? 'fetch' : 'events';
  if (value[streamed]) return 'lambda';
  if (typeof value.fetch === 'function' || typeof value.prototype?.fetch === 'function') return 'fetch';
  if (typeof value.handle === 'function' && typeof value.use === 'function') return 'express';  // an Express app
  if (events.some((each) => typeof value.prototype?.[each] === 'function')) return 'events';
  if (name === 'fetch') return 'fetch';
  const [first = '', second = ''] = parameterNames(value);
  if (/^_?res(ponse)?$/i.test(second) || /^_?reply$/.test(second)) return 'express';
  if (name !== 'default' || /^_?(event|evt)$/i.test(first)) return 'lambda';
  if (value.length < 2 || /^_?(env|ctx|context|bindings|info)$/i.test(second)) return 'fetch';
  return 'express';
}

/**
 * Calls the module's handler of these events, (argument, env, ctx) => what it returns: a method of the chosen
 * handler, or of the class that it is, or an export of this name. undefined if there is none.
 */
function eventHandler(method, handler, exports) {
  if (typeof handler.prototype?.[method] === 'function')
    return (argument, env, ctx) => new handler(ctx, env)[method](argument, env, ctx);
  const owner = typeof handler[method] === 'function' ? handler : exports;
  return typeof owner[method] === 'function' ? (argument, env, ctx) => owner[method](argument, env, ctx) : undefined;
}

/**
 * namespace: what import() gave; wanted: the export named by the configuration; form: what the
 * configuration says of the form, if anything. Returns {form, handler, name, queue, scheduled}, the last two
 * for events (see eventHandler). Throws MissingExport.
 */
function findHandler(namespace, isCommonJs, wanted = 'default', form = undefined) {
  const exports = exportsOf(namespace, isCommonJs);
  const [name, handler] = choose(exports, wanted || 'default');
  const [queue, scheduled] = events.map((method) => eventHandler(method, handler, exports));
  return { form: forms.includes(form) ? form : formOf(name, handler), handler, name, queue, scheduled };
}

module.exports = { findHandler, MissingExport };
