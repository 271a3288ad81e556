'use strict';
// Request: made by the bridge for each invocation (nothing is parsed until it is asked for), or by user
// code with `new Request(...)`.

const { inspect } = require('util');
const { Body, sourceOf, sourceType, setSource, takeSource, teeSource, usable, hasBody } = require('./fetch-body.js');
const { headText, textOf, headersOfText, textHas } = require('./fetch-headers.js');
const { native, isNative, standIn } = require('./fetch-native.js');

const ofInvocation = Symbol('request of an invocation');

// What stands in a request that nobody said otherwise of, and what may stand there.
const defaults = { mode: 'cors', credentials: 'same-origin', cache: 'default', redirect: 'follow',
  referrer: 'about:client', referrerPolicy: '', integrity: '', keepalive: false };
const allowed = {
  mode: ['navigate', 'same-origin', 'no-cors', 'cors'],
  credentials: ['omit', 'same-origin', 'include'],
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  redirect: ['follow', 'manual', 'error'],
  referrerPolicy: ['', 'no-referrer', 'no-referrer-when-downgrade', 'origin', 'origin-when-cross-origin', 'same-origin',
    'strict-origin', 'strict-origin-when-cross-origin', 'unsafe-url'],
};
const normalised = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']);
const forbidden = new Set(['CONNECT', 'TRACE', 'TRACK']);
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function methodOf(value) {
  const method = `${value}`;
  const upper = method.toUpperCase();
  if (normalised.has(upper)) return upper;
  if (!token.test(method)) throw new TypeError(`'${method}' is not a valid HTTP method.`);
  if (forbidden.has(upper)) throw new TypeError(`'${method}' HTTP method is unsupported.`);
  return method;
}

function urlOf(input) {
  let url;
  try {
    url = new URL(`${input}`);
  } catch (cause) {
    throw new TypeError(`Failed to parse URL from ${input}`, { cause });
  }
  if (url.username || url.password)
    throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${url}`);
  return url.href;
}

/** The rarely used members of an init, checked; null when it has none. */
function optionsOf(init, inherited) {
  let options = inherited;
  for (const name in defaults) {
    let value = init[name];
    if (value === undefined) continue;
    value = name === 'keepalive' ? Boolean(value) : `${value}`;
    if (name in allowed && !allowed[name].includes(value))
      throw new TypeError(`Request constructor: ${value} is not an accepted type for ${name}.`);
    if (name === 'mode' && value === 'navigate') throw new TypeError('Request constructor: invalid request mode navigate.');
    options = { ...defaults, ...options, [name]: value };
  }
  if (options?.cache === 'only-if-cached' && options.mode !== 'same-origin')
    throw new TypeError("'only-if-cached' can be set only with 'same-origin' mode");
  return options;
}

function signalOf(signal) {
  if (signal === undefined || signal === null) return null;
  if (!(signal instanceof AbortSignal))
    throw new TypeError("Failed to construct 'Request': member signal is not of type AbortSignal.");
  return signal;
}

let isRequest, requestHead, requestParts;

class Request extends Body {
  #invocation = null;
  #method = 'GET';
  #url = null;
  #head = '';
  #headers = null;
  #signal = null;
  #options = null;

  constructor(input, init = undefined) {
    if (input === ofInvocation) {
      super(init.bodySource());
      this.#invocation = init;
      this.#method = init.method;
      this.#head = init.head;
      return;
    }
    super(null);
    if (arguments.length === 0) throw new TypeError('Request constructor: 1 argument required, but only 0 present.');
    if (init === undefined || init === null) init = {};
    else if (typeof init !== 'object' && typeof init !== 'function')
      throw new TypeError('Request constructor: the init must be an object.');
    const from = isRequest(input) || isNative('Request', input) ? input : null;
    if (from === null) this.#url = urlOf(input);
    else this.#inherit(from);
    this.#options = optionsOf(init, this.#options);
    if (init.method !== undefined) this.#method = methodOf(init.method);
    if (init.signal !== undefined) this.#signal = signalOf(init.signal);
    if (init.headers !== undefined) this.#head = headText(init.headers);
    this.#setBody(init, from);
  }

  #inherit(from) {
    this.#url = from.url;
    this.#method = from.method;
    this.#head = headText(from.headers);
    this.#signal = from.signal;
    if (isRequest(from)) this.#options = from.#options;
    else for (const name in defaults) if (from[name] !== defaults[name]) this.#options = { ...defaults, ...this.#options, [name]: from[name] };
  }

  #setBody(init, from) {
    const given = init.body !== undefined && init.body !== null;
    const kept = from !== null && (isRequest(from) ? hasBody(from) : from.body !== null);
    if ((given || kept) && (this.#method === 'GET' || this.#method === 'HEAD'))
      throw new TypeError('Request with GET/HEAD method cannot have body.');
    if (given) {
      const source = sourceOf(init.body);
      const type = sourceType();
      if (typeof source === 'object' && typeof source[Symbol.asyncIterator] === 'function' && init.duplex === undefined)
        throw new TypeError('RequestInit: duplex option is required when sending a body.');
      setSource(this, source);
      if (type !== null && !textHas(this.#head, 'content-type')) this.#head += 'content-type\0' + type + '\0';
    } else if (kept) {
      const light = isRequest(from);
      if (light ? !usable(from) : from.bodyUsed || from.body.locked)
        throw new TypeError('Cannot construct a Request with a Request object that has already been used.');
      setSource(this, light ? takeSource(from) : from.body);
    }
  }

  get method() { return this.#method; }
  get url() { return this.#url ?? (this.#url = this.#invocation.url()); }
  get headers() { return this.#headers ?? (this.#headers = headersOfText(this.#head)); }
  get signal() {
    return this.#signal ?? (this.#signal = this.#invocation?.signal() ?? new AbortController().signal);
  }
  get duplex() { return 'half'; }
  get destination() { return ''; }
  get isReloadNavigation() { return false; }
  get isHistoryNavigation() { return false; }

  clone() {
    const copy = new Request(this.url, { signal: this.signal });
    copy.#method = this.#method;
    copy.#head = requestHead(this);
    copy.#options = this.#options;
    setSource(copy, teeSource(this));
    return copy;
  }

  [inspect.custom](depth, options) {
    const { method, url, headers, body, bodyUsed, signal } = this;
    return `Request ${inspect({ method, url, headers, body, bodyUsed, signal }, options)}`;
  }

  static {
    isRequest = (v) => typeof v === 'object' && v !== null && #invocation in v;
    requestParts = (request) => {
      let target = request.#invocation?.target;
      if (target === undefined) {
        const { pathname, search } = new URL(request.url);
        target = pathname + search;
      }
      return { method: request.#method, target, head: requestHead(request), body: takeSource(request) };
    };
    requestHead = (request) => (request.#headers === null ? request.#head : textOf(request.#headers));
    for (const name in defaults) {
      Object.defineProperty(this.prototype, name, {
        get() { return this.#options === null ? defaults[name] : this.#options[name]; },
        configurable: true,
        enumerable: true,
      });
    }
  }
}

for (const name of ['clone', 'destination', 'duplex', 'headers', 'isHistoryNavigation', 'isReloadNavigation', 'method', 'signal', 'url'])
  Object.defineProperty(Request.prototype, name, { enumerable: true });
Object.defineProperty(Request.prototype, Symbol.toStringTag, { value: 'Request', configurable: true });
standIn('Request', Request, isRequest);

/** Node's own Request made of ours; the body goes with it. */
function toNativeRequest(request) {
  let source = takeSource(request);
  if (source !== null && source.isFeed) source = source.stream();
  const { url, method, headers, signal, redirect, mode, credentials, cache, referrer, referrerPolicy, integrity, keepalive } = request;
  return new (native('Request'))(url, { method, headers: [...headers], body: source, duplex: 'half', signal, redirect, mode,
    credentials, cache, referrer, referrerPolicy, integrity, keepalive });
}

module.exports = {
  Request,
  isRequest,
  requestHead,
  /** {method, target, head, body} to send it on; its body counts as read. */
  requestParts: (request) => requestParts(request),
  toNativeRequest,
  /** The request of an invocation (see invocation.js for what it needs of it). */
  requestOf: (invocation) => new Request(ofInvocation, invocation),
};
