'use strict';
// Response: what handlers answer with. The fast path is a string body with a record of headers: nothing
// but two strings and a number is kept.

const { inspect } = require('util');
const { Body, sourceOf, sourceType, setSource, takeSource, teeSource } = require('./fetch-body.js');
const { headText, textOf, headersOfText, textHas } = require('./fetch-headers.js');
const { native, isNative, standIn } = require('./fetch-native.js');

const reason = /^[\t\x20-\x7e\x80-\xff]*$/;
const redirects = new Set([301, 302, 303, 307, 308]);

function statusOf(value) {
  const status = Number(value) & 0xffff;
  if (status < 200 || status > 599)
    throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
  return status;
}

function isNullBody(status) {
  return status === 204 || status === 205 || status === 304 || status === 101;
}

/** Node's fetch has decoded the body; the headers that describe the encoded one must not go with it. */
function withoutEncoding(init) {
  const headers = new (native('Headers'))(init.headers);
  if (headers.has('content-encoding')) {
    headers.delete('content-encoding');
    headers.delete('content-length');
  }
  return headers;
}

let isResponse, responseHead, responseOf;

class Response extends Body {
  #status = 200;
  #statusText = '';
  #head = '';       // headers as text, while #headers is null
  #headers = null;
  #type = 'default';

  constructor(body = null, init = undefined) {
    const source = sourceOf(body);
    const type = source === null ? null : sourceType();
    super(source);
    if (init !== undefined && init !== null) this.#initialise(init, body);
    if (source !== null) {
      if (isNullBody(this.#status))
        throw new TypeError(`Response constructor: Invalid response status code ${this.#status}`);
      if (type !== null && !textHas(this.#head, 'content-type')) this.#head += 'content-type\0' + type + '\0';
    }
  }

  #initialise(init, body) {
    if (typeof init !== 'object' && typeof init !== 'function')
      throw new TypeError('Response constructor: the init must be an object.');
    const { status, statusText, headers } = init;
    if (status !== undefined) this.#status = statusOf(status);
    if (statusText !== undefined) {
      this.#statusText = `${statusText}`;
      if (!reason.test(this.#statusText)) throw new TypeError('Invalid statusText');
    }
    if (headers === undefined) return;
    const decoded = body !== null && typeof body === 'object' && isNative('Response', init) && init.body === body;
    this.#head = headText(decoded ? withoutEncoding(init) : headers);
  }

  get headers() {
    return this.#headers ?? (this.#headers = headersOfText(this.#head, this.#type === 'error'));
  }
  get status() { return this.#status; }
  get statusText() { return this.#statusText; }
  get ok() { return this.#status >= 200 && this.#status <= 299; }
  get type() { return this.#type; }
  get url() { return ''; }
  get redirected() { return false; }

  clone() {
    const copy = new Response();
    copy.#become(teeSource(this), this.#status, this.#statusText, responseHead(this));
    copy.#type = this.#type;
    return copy;
  }

  #become(source, status, statusText, head) {
    if (source !== null) setSource(this, source);
    this.#status = status;
    this.#statusText = statusText;
    this.#head = head;
  }

  static json(data, init = undefined) {
    if (arguments.length === 0) throw new TypeError('Response.json: 1 argument required, but only 0 present.');
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError('Value is not JSON serializable');
    const response = new Response(text, init);
    // A plain string body has got the type of plain text, unless the caller gave one.
    if (init === undefined || init === null || init.headers === undefined) {
      response.#head = 'content-type\0application/json\0';
    } else {
      const given = headText(init.headers);
      response.#head = textHas(given, 'content-type') ? given : given + 'content-type\0application/json\0';
    }
    return response;
  }

  static redirect(url, status = 302) {
    if (arguments.length === 0) throw new TypeError('Response.redirect: 1 argument required, but only 0 present.');
    let location;
    try {
      location = new URL(`${url}`).href;
    } catch (cause) {
      throw new TypeError(`Failed to parse URL from ${url}`, { cause });
    }
    if (!redirects.has(Number(status))) throw new RangeError(`Invalid status code ${status}`);
    const response = new Response();
    response.#status = Number(status);
    response.#headers = headersOfText('location\0' + location + '\0', true);
    return response;
  }

  static error() {
    const response = new Response();
    response.#status = 0;
    response.#type = 'error';
    return response;
  }

  [inspect.custom](depth, options) {
    const { status, statusText, headers, body, bodyUsed, ok, redirected, type, url } = this;
    return `Response ${inspect({ status, statusText, headers, body, bodyUsed, ok, redirected, type, url }, options)}`;
  }

  static {
    isResponse = (v) => typeof v === 'object' && v !== null && #status in v;
    responseOf = (status, head, source) => {
      const response = new Response();
      response.#become(isNullBody(status) ? null : source, status, '', head);
      return response;
    };
    responseHead = (response) => (response.#headers === null ? response.#head : textOf(response.#headers));
  }
}

for (const name of ['clone', 'headers', 'ok', 'redirected', 'status', 'statusText', 'type', 'url'])
  Object.defineProperty(Response.prototype, name, { enumerable: true });
for (const name of ['error', 'json', 'redirect']) Object.defineProperty(Response, name, { enumerable: true });
Object.defineProperty(Response.prototype, Symbol.toStringTag, { value: 'Response', configurable: true });
standIn('Response', Response, isResponse);

/** Node's own Response made of ours; the body goes with it. */
function toNativeResponse(response) {
  const source = takeSource(response);
  return new (native('Response'))(source !== null && source.isFeed ? source.stream() : source, {
    status: response.status,
    statusText: response.statusText,
    headers: [...response.headers],
  });
}

module.exports = {
  Response,
  isResponse,
  isNullBody,
  /** The headers as text "name\0value\0...". */
  responseHead,
  /** What a call answered: any status, its headers as text, its body as fetch-body.js keeps it. */
  responseOf: (status, head, source) => responseOf(status, head, source),
  toNativeResponse,
  withoutEncoding,
  isNativeResponse: (v) => isNative('Response', v),
};
