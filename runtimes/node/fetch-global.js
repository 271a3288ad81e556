'use strict';
// Puts our Request, Response and Headers in the place of Node's, and teaches fetch to take them.

require('./fetch-headers.js');
require('./fetch-response.js');
const { isRequest, toNativeRequest } = require('./fetch-request.js');
const { native, replaceGlobals } = require('./fetch-native.js');

async function fetch(input, init = undefined) {
  return native('fetch')(isRequest(input) ? toNativeRequest(input) : input, init);
}

function install() {
  replaceGlobals();
  const { enumerable } = Object.getOwnPropertyDescriptor(globalThis, 'fetch');
  Object.defineProperty(globalThis, 'fetch', { value: fetch, writable: true, enumerable, configurable: true });
}

module.exports = { install };
