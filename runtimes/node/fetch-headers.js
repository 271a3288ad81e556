'use strict';
// Headers. The state is either the text that the bridge speaks ("name\0value\0...", names in lower case)
// or, once somebody looks, a flat list [name, value, name, value, ...]. Semantics: fetch.spec.whatwg.org.

const { inspect } = require('util');
const { native, isNative, standIn } = require('./fetch-native.js');

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const notInValue = /[^\t\x20-\x7e\x80-\xff]/;
const knownNames = new Map();  // as written -> lower case, for names that were found valid
const maxKnownNames = 256;

function invalid(what, value) {
  return new TypeError(`Headers: ${inspect(value)} is an invalid header ${what}.`);
}

function normalName(name) {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const text = `${name}`;
  if (!token.test(text)) throw invalid('name', text);
  const lower = text.toLowerCase();
  if (knownNames.size < maxKnownNames && text.length < 64) knownNames.set(text, lower);
  return lower;
}

function normalValue(value) {
  let text = typeof value === 'string' ? value : `${value}`;
  if (text.length === 0) return text;
  const first = text.charCodeAt(0), last = text.charCodeAt(text.length - 1);
  if (first <= 32 || last <= 32) text = text.replace(/^[\t\r\n ]+|[\t\r\n ]+$/g, '');
  if (notInValue.test(text)) checkOddValue(text);
  return text;
}

function checkOddValue(text) {
  for (let i = 0; i < text.length; ++i) {
    const code = text.charCodeAt(i);
    if (code > 255)
      throw new TypeError(`Cannot convert argument to a ByteString because the character at index ${i} has a value of ${code} which is greater than 255.`);
    if (code === 0 || code === 10 || code === 13) throw invalid('value', text);
  }
}

/** The text "name\0value\0..." of anything that `new Headers()` takes. */
function headText(init) {
  if (init === undefined) return '';
  if (init === null || (typeof init !== 'object' && typeof init !== 'function'))
    throw new TypeError('Headers: the init must be a sequence or a record.');
  if (isHeaders(init)) return textOf(init);
  let text = '';
  if (typeof init[Symbol.iterator] === 'function') {
    for (const pair of init) {
      if (pair === null || typeof pair !== 'object' || typeof pair[Symbol.iterator] !== 'function')
        throw new TypeError('Headers: every entry must be a sequence.');
      const entry = [...pair];
      if (entry.length !== 2) throw new TypeError(`Headers: expected name/value pair to be length 2, found ${entry.length}.`);
      text += normalName(entry[0]) + '\0' + normalValue(entry[1]) + '\0';
    }
    return text;
  }
  const keys = Reflect.ownKeys(init);
  for (let i = 0; i < keys.length; ++i) {
    const key = keys[i];
    if (typeof key === 'symbol') throw new TypeError('Cannot convert a Symbol value to a string');
    if (!Object.prototype.propertyIsEnumerable.call(init, key)) continue;
    text += normalName(key) + '\0' + normalValue(init[key]) + '\0';
  }
  return text;
}

/** Is there a header of this name in the text? Names stand at the even places. */
function textHas(text, name) {
  for (let at = text.indexOf(name + '\0'); at !== -1; at = text.indexOf(name + '\0', at + 1)) {
    if (at === 0) return true;
    if (text.charCodeAt(at - 1) !== 0) continue;
    let zeros = 0;
    for (let i = text.indexOf('\0'); i !== -1 && i < at; i = text.indexOf('\0', i + 1)) ++zeros;
    if (zeros % 2 === 0) return true;
  }
  return false;
}

function parse(text) {
  const list = text.split('\0');
  list.pop();
  return list;
}

function combine(list, name) {
  let value = null;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] !== name) continue;
    value = value === null ? list[i + 1] : value + (name === 'cookie' ? '; ' : ', ') + list[i + 1];
  }
  return value;
}

/** Sorted, combined, with each Set-Cookie on its own: what iterating shows. */
function sorted(list) {
  const names = [...new Set(list.filter((_, i) => i % 2 === 0))].sort();
  const entries = [];
  for (const name of names) {
    if (name !== 'set-cookie') entries.push([name, combine(list, name)]);
    else for (let i = 0; i < list.length; i += 2) if (list[i] === name) entries.push([name, list[i + 1]]);
  }
  return entries;
}

let isHeaders, textOf, headersOfText;

class Headers {
  #text;
  #list = null;
  #immutable = false;

  constructor(init = undefined) {
    this.#text = headText(init);
  }

  #read() {
    return this.#list ?? (this.#list = parse(this.#text));
  }
  #write() {
    if (this.#immutable) throw new TypeError('immutable');
    return this.#read();
  }

  append(name, value) {
    required(arguments.length, 2, 'append');
    const n = normalName(name), v = normalValue(value);
    this.#write().push(n, v);
  }
  set(name, value) {
    required(arguments.length, 2, 'set');
    const n = normalName(name), v = normalValue(value);
    const list = this.#write();
    const at = indexOf(list, n);
    if (at === -1) {
      list.push(n, v);
      return;
    }
    list[at + 1] = v;
    removeFrom(list, n, at + 2);
  }
  delete(name) {
    required(arguments.length, 1, 'delete');
    removeFrom(this.#write(), normalName(name), 0);
  }
  get(name) {
    required(arguments.length, 1, 'get');
    const n = normalName(name);
    return combine(this.#read(), n);
  }
  has(name) {
    required(arguments.length, 1, 'has');
    const n = normalName(name);
    return indexOf(this.#read(), n) !== -1;
  }
  getSetCookie() {
    return sorted(this.#read()).filter(([name]) => name === 'set-cookie').map(([, value]) => value);
  }
  forEach(callback, thisArg = undefined) {
    required(arguments.length, 1, 'forEach');
    if (typeof callback !== 'function')
      throw new TypeError("Failed to execute 'forEach' on 'Headers': parameter 1 is not of type 'Function'.");
    for (const [name, value] of this.entries()) callback.call(thisArg, value, name, this);
  }
  keys() {
    return sorted(this.#read()).map(([name]) => name).values();
  }
  values() {
    return sorted(this.#read()).map(([, value]) => value).values();
  }
  entries() {
    return sorted(this.#read()).values();
  }
  [inspect.custom](depth, options) {
    return `Headers ${inspect(Object.fromEntries(this.entries()), options)}`;
  }

  static {
    isHeaders = (v) => typeof v === 'object' && v !== null && #list in v;
    textOf = (headers) => {
      const list = headers.#list;
      if (list === null) return headers.#text;
      return list.length === 0 ? '' : list.join('\0') + '\0';
    };
    headersOfText = (text, immutable) => {
      const headers = new Headers();
      headers.#text = text;
      headers.#immutable = immutable;
      return headers;
    };
  }
}

function indexOf(list, name) {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return i;
  return -1;
}

function removeFrom(list, name, from) {
  for (let i = list.length - 2; i >= from; i -= 2) if (list[i] === name) list.splice(i, 2);
}

function required(given, wanted, method) {
  if (given < wanted)
    throw new TypeError(`Headers.${method}: ${wanted} argument${wanted > 1 ? 's' : ''} required, but only ${given} present.`);
}

for (const method of ['append', 'delete', 'get', 'has', 'set', 'getSetCookie', 'forEach', 'keys', 'values', 'entries'])
  Object.defineProperty(Headers.prototype, method, { enumerable: true });
Object.defineProperty(Headers.prototype, Symbol.iterator,
  { value: Headers.prototype.entries, writable: true, configurable: true });
Object.defineProperty(Headers.prototype, Symbol.toStringTag, { value: 'Headers', configurable: true });
standIn('Headers', Headers, isHeaders);

module.exports = {
  Headers,
  /** Text of the headers of any kind of object: ours, Node's, a record, a list of pairs. */
  headText,
  /** Text of one of our own Headers. */
  textOf,
  /** Our own Headers over a text. */
  headersOfText: (text, immutable = false) => headersOfText(text, immutable),
  textHas,
  normalName,
  parse,
  isNativeHeaders: (v) => isNative('Headers', v),
  toNativeHeaders: (headers) => new (native('Headers'))([...headers]),
};
