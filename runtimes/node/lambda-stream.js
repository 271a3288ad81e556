'use strict';
// Lambda's streamed answers: awslambda.streamifyResponse(async (event, responseStream, context) => ...) and
// awslambda.HttpResponseStream.from(responseStream, {statusCode, headers, cookies}).

const { Writable } = require('stream');
const { headOf, statusOf } = require('./lambda-answer.js');

const streamed = Symbol.for('mayfly.lambda.stream');

class ResponseStream extends Writable {
  #invocation;
  metadata = {};

  constructor(invocation) {
    super();
    this.#invocation = invocation;
    invocation.whenAborted((error) => { this.destroy(error); });
    this.on('error', () => {});  // the invocation tells it
  }
  setContentType(type) {
    this.metadata.headers = { ...this.metadata.headers, 'content-type': type };
  }
  #start() {
    if (this.#invocation.headSent) return;
    const { metadata } = this;
    this.#invocation.start(metadata.statusCode === undefined ? 200 : statusOf(metadata),
      headOf(metadata, 'application/octet-stream'));
  }
  _write(chunk, encoding, callback) {
    try {
      this.#start();
    } catch (error) {
      callback(error);
      return;
    }
    if (this.#invocation.write(chunk)) callback();
    else this.#invocation.whenWritable(callback);
  }
  _final(callback) {
    try {
      this.#start();
      this.#invocation.end();
      callback();
    } catch (error) {
      callback(error);
    }
  }
  _destroy(error, callback) {
    if (error) this.#invocation.fail(error);
    callback(error);
  }
}

function install() {
  globalThis.awslambda = {
    streamifyResponse(handler) {
      handler[streamed] = true;
      return handler;
    },
    HttpResponseStream: class HttpResponseStream {
      static from(stream, metadata) {
        stream.metadata = metadata;
        return stream;
      }
    },
  };
}

module.exports = { ResponseStream, streamed, install };
