'use strict';
// Node's own Request, Response, Headers, FormData and fetch, loaded when something first needs them: the
// fetch stack makes every later fork about a millisecond slower.
//
// Reading a global such as Response loads the stack (from Node 24 even its property descriptor does), and
// once our classes stand there instead, nothing public leads back to Node's. So they are noted when the
// stack defines their properties, however it came to be loaded.

const ordinaryHasInstance = Function.prototype[Symbol.hasInstance];
const stack = 'internal/deps/undici';
const names = ['Request', 'Response', 'Headers'];

const loaded = { fetch: globalThis.fetch };
const lights = {};  // name -> {light: our class, isLight: test for its objects}

function isLoaded() {
  return process.moduleLoadList.some((name) => name.includes(stack));
}

function note(name, value) {
  loaded[name] = value;
  const { isLight } = lights[name] ?? {};
  if (isLight === undefined) return;
  Object.defineProperty(value, Symbol.hasInstance, {
    value(v) { return ordinaryHasInstance.call(this, v) || (this === value && isLight(v)); },
    configurable: true,
    writable: true,
  });
}

function watchDefineProperties() {
  const original = Object.defineProperties;
  const watching = function defineProperties(object, properties) {
    const value = object?.constructor;
    if (names.includes(value?.name) && value.prototype === object && !(value.name in loaded) &&
        new Error().stack.includes(stack)) {
      note(value.name, value);
      if (names.every((name) => name in loaded)) restore();
    }
    return original(object, properties);
  };
  const restore = () => {
    if (Object.defineProperties === watching) put(Object, 'defineProperties', original);
  };
  put(Object, 'defineProperties', watching);
}

function put(object, name, value) {
  // Without a look at what is there: that would load it.
  delete object[name];
  Object.defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
}

/** Node's own value of a global. The first call for a class loads the fetch stack. */
function native(name) {
  if (!(name in loaded)) {
    const { FormData } = globalThis;  // loads the stack; this one is never replaced
    loaded.FormData ??= FormData;
  }
  return loaded[name];
}

/** Is this an object of Node's own class? Loads nothing unless it looks like one. */
function isNative(name, v) {
  return typeof v === 'object' && v !== null && v[Symbol.toStringTag] === name && isLoaded() &&
    ordinaryHasInstance.call(native(name), v);
}

/** Our class stands in for Node's class of that name: both ways of instanceof say so. */
function standIn(name, light, isLight) {
  lights[name] = { light, isLight };
  Object.defineProperty(light, Symbol.hasInstance, {
    value(v) {
      if (this !== light) return ordinaryHasInstance.call(this, v);  // a subclass
      return isLight(v) || isNative(name, v);
    },
    configurable: true,
    writable: true,
  });
}

/** Put our classes in the place of Node's. */
function replaceGlobals() {
  if (isLoaded()) for (const name of names) note(name, globalThis[name]);
  else watchDefineProperties();
  for (const name of names) put(globalThis, name, lights[name].light);
}

module.exports = { native, isNative, standIn, replaceGlobals, isLoaded };
