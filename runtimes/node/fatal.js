'use strict';
// The ends of a process that code can cause: an uncaught exception, an unhandled rejection, process.exit().
// Each becomes one report to `report(kind, message, stack, code)`, which does not return.

const { cleanStack } = require('./errors.js');

function messageOf(error) {
  const isError = error !== null && typeof error === 'object' && 'message' in error;
  return isError ? `${error.name ?? 'Error'}: ${error.message}` : `Uncaught: ${String(error)}`;
}

function install(report) {
  // Node calls this for every exception that nobody caught. It asks the code's own listeners first, emits
  // 'exit' when there are none, and then would print and end the process, which a fork cannot do.
  const original = process._fatalException;
  process._fatalException = function (error, fromPromise) {
    if (original.call(process, error, fromPromise)) return true;
    report(fromPromise ? 'rejection' : 'uncaught', messageOf(error), cleanStack(error));
    return true;
  };
  // process.exit() has emitted 'exit' when it comes here.
  process.reallyExit = function reallyExit(code) {
    report('exit', String(code ?? 0), cleanStack(new Error('process.exit() was called here')));
  };
}

module.exports = { install };
