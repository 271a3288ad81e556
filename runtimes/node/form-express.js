'use strict';
// The Express form: `export default (req, res) => ...`, or an Express app. req and res are Node's own
// objects over a socket that leads nowhere. Packages replace their prototypes (Express does), so what is
// ours stands on the objects themselves.

const http = require('http');
const { Duplex } = require('stream');
const { parse } = require('./fetch-headers.js');
const { isNullBody } = require('./fetch-response.js');
const { Platform } = require('./platform.js');

const ofInvocation = Symbol('invocation');
const ofAnswer = Symbol('answer');
const needDrain = Object.getOwnPropertySymbols(new http.ServerResponse({ method: 'GET' }))
  .find((symbol) => symbol.description === 'kNeedDrain');

let handler = null;

// --- The socket: tells where the request came from; destroying it ends the answer

class Socket extends Duplex {
  #invocation;
  constructor(invocation) {
    super({ autoDestroy: false, emitClose: true });
    this.#invocation = invocation;
    this.encrypted = invocation.scheme === 'https';
    this.remoteAddress = invocation.remoteAddress;
    this.remoteFamily = invocation.remoteAddress.includes(':') ? 'IPv6' : 'IPv4';
    this.remotePort = 0;
    this.localAddress = '127.0.0.1';
    this.localPort = this.encrypted ? 443 : 80;
  }
  address() { return { address: this.localAddress, family: 'IPv4', port: this.localPort }; }
  setTimeout() { return this; }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
  ref() { return this; }
  unref() { return this; }
  _read() {}
  _write(chunk, encoding, callback) { callback(); }
  _destroy(error, callback) {
    this.#invocation.fail(error ?? new Error('The handler destroyed the connection before the answer was complete'));
    callback(null);  // who destroys a response with an error has told it; the socket has no listeners
  }
}

// --- The request

/** Instead of IncomingMessage's _read: gives what is there, and asks to be called when more comes. */
function readBody() {
  const { feed, chunk } = this[ofInvocation];
  if (feed !== null) {
    pull(this, feed);
    return;
  }
  if (chunk !== undefined) this.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  endBody(this);
}

function pull(req, feed) {
  try {
    for (;;) {
      const chunk = feed.take();
      if (chunk === undefined) break;
      if (chunk === null) {
        endBody(req);
        return;
      }
      if (!req.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) return;
    }
    feed.whenChanged(() => pull(req, feed));
  } catch {
    // The client has left: abort() destroys the request.
  }
}

function endBody(req) {
  req.complete = true;
  req.push(null);
}

function requestFor(invocation, socket) {
  const req = new http.IncomingMessage(socket);
  req[ofInvocation] = invocation;
  req.mayfly = new Platform(invocation);
  req._read = readBody;
  req.httpVersion = '1.1';
  req.httpVersionMajor = req.httpVersionMinor = 1;
  req.method = invocation.method;
  req.url = invocation.target;
  const list = parse(invocation.head);
  req._addHeaderLines(list, list.length);
  return req;
}

// --- The answer

class Answer {
  #invocation;
  #res;
  #held = null;    // the first chunk, until we know whether it is the only one
  #started = false;

  constructor(invocation, res) {
    this.#invocation = invocation;
    this.#res = res;
  }

  /** False when the client must catch up first; 'drain' follows. */
  write(chunk) {
    if (chunk.length === 0) return true;
    if (!this.#started && this.#held === null) {
      this.#held = chunk;
      process.nextTick(flushHeld, this);
      return true;
    }
    this.flush();
    return this.#send(chunk);
  }
  /** Send the head, and what is held, as the beginning of a stream. */
  flush() {
    if (this.#started) return;
    this.#started = true;
    const { status, head } = headOf(this.#res);
    this.#invocation.start(status, head);
    const chunk = this.#held;
    this.#held = null;
    if (chunk !== null) this.#send(chunk);
  }
  flushIfHeld() {
    if (this.#held !== null) this.flush();
  }
  #send(chunk) {
    if (this.#invocation.write(chunk)) return true;
    this.#invocation.whenWritable(() => drained(this.#res));
    return false;
  }
  end() {
    if (this.#started) {
      this.#invocation.end();
      return;
    }
    this.#started = true;
    const { status, head } = headOf(this.#res);
    const body = this.#held === null || isNullBody(status) ? undefined : this.#held;
    this.#held = null;
    this.#invocation.respond(status, head, body);
  }
}

function flushHeld(answer) {
  answer.flushIfHeld();
}

function drained(res) {
  if (res.destroyed || res.finished) return;
  if (needDrain !== undefined) res[needDrain] = false;
  res.emit('drain');
}

const connectionHeaders = /^(?:connection|keep-alive|transfer-encoding|proxy-connection|upgrade|trailer)$/;

/** Node has made the head as it would go over the wire; whatever way the headers were set, they are in it. */
function headOf(res) {
  const lines = res._header.split('\r\n');
  let head = '';
  for (let i = 1; i < lines.length; ++i) {
    const colon = lines[i].indexOf(':');
    if (colon <= 0) continue;
    const name = lines[i].slice(0, colon).toLowerCase();
    if (!connectionHeaders.test(name)) head += name + '\0' + lines[i].slice(colon + 1).trim() + '\0';
  }
  return { status: res.statusCode, head };
}

/** Instead of OutgoingMessage's _send: the bytes of the body, without HTTP around them. */
function sendBody(data, encoding, callback) {
  this._headerSent = true;
  const bytes = typeof data === 'string' && encoding && encoding !== 'utf8' && encoding !== 'utf-8' ? Buffer.from(data, encoding) : data;
  const open = this[ofAnswer].write(bytes);
  if (typeof callback === 'function') process.nextTick(callback);
  return open;
}

/** What would go around the answer (100 Continue, early hints): not for us. */
function sendRaw(data, encoding, callback) {
  if (typeof encoding === 'function') callback = encoding;
  if (typeof callback === 'function') process.nextTick(callback);
  return true;
}

function end(chunk, encoding, callback) {
  const ended = this.finished;
  const result = http.ServerResponse.prototype.end.call(this, chunk, encoding, callback);
  if (!ended && this.finished) this[ofAnswer].end();
  return result;
}

function flushHeaders() {
  http.ServerResponse.prototype.flushHeaders.call(this);
  this[ofAnswer].flush();
}

function responseFor(invocation, req, socket) {
  const res = new http.ServerResponse(req);
  res[ofAnswer] = new Answer(invocation, res);
  res._send = sendBody;
  res._writeRaw = sendRaw;
  res.end = end;
  res.flushHeaders = flushHeaders;
  res.sendDate = false;
  res.shouldKeepAlive = true;
  res.useChunkedEncodingByDefault = false;
  res.assignSocket(socket);
  return res;
}

// --- Serving

function close(res) {
  if (res._closed) return;
  res.destroyed = true;
  res._closed = true;
  res.emit('close');
}

/** As Node's server does it: the request is let go, 'close' follows 'finish'. */
function onFinish() {
  const { req } = this;
  if (!req.readableEnded && !req.destroyed) req._dump?.();
  if (this.socket) this.detachSocket(this.socket);
  process.nextTick(close, this);
}

function onAborted(req, res) {
  const error = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
  if (!req.complete) req.destroy(req.listenerCount('error') > 0 ? error : undefined);
  if (!res.finished) res.destroy();
  close(res);
}

function serve(invocation) {
  const socket = new Socket(invocation);
  const req = requestFor(invocation, socket);
  const res = responseFor(invocation, req, socket);
  res.on('finish', onFinish);
  invocation.whenAborted(() => onAborted(req, res));
  const failed = (error) => {
    invocation.fail(error);
    res.destroy();
  };
  try {
    const result = handler(req, res);
    // An answer that is complete does not free the slot while the handler still works.
    if (typeof result?.then === 'function') invocation.waitUntil(result.then(undefined, failed));
  } catch (error) {
    failed(error);
  }
}

/** Returns what serves an invocation; it never throws. */
function start(listener) {
  handler = listener;
  return serve;
}

module.exports = { start };
