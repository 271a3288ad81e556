'use strict';
// Where a syntax error of an ES module is. Node knows, but keeps it with the error in a private place until
// it prints the error; the one public thing that brings it into `error.stack` is a REPL.

const { PassThrough } = require('stream');

/** Afterwards error.stack begins with "file:///...:LINE", the source line and a marker (or is as it was). */
function revealPlace(error) {
  const { stack } = error;
  const repl = require('repl').start({
    input: new PassThrough(),
    output: new PassThrough(),
    terminal: false,
    useGlobal: true,
    eval: (command, context, file, callback) => callback(error),
  });
  repl.emit('line', '');
  repl.close();
  if (!/^\S+:\d+\n/.test(error.stack)) error.stack = stack;
}

module.exports = { revealPlace };
