'use strict';
// Errors as people should see them: stacks without the frames of Node and of this bridge, and the place
// in the user's own code.

const fs = require('fs');
const path = require('path');
const { fileURLToPath } = require('url');
const { inspect } = require('util');

const ownFolder = __dirname + path.sep;
let roots = [];
// Installed packages lie in a folder of the daemon's. The map of a bundle even names it from where it was built, where
// nothing is when the code runs.
const layer = /(?:file:\/\/)?\/[^\s()]*?\/layers\/[0-9a-f]{64}\//g;

/**
 * Files are told relative to this folder from now on. Node names modules by where they really are, and the folder
 * may be reached through a link: below /tmp it is.
 */
function setRoot(folder) {
  let real = folder;
  try {
    real = fs.realpathSync(folder);
  } catch {
    // Loading the code will say it.
  }
  roots = [...new Set([real, folder])].map((each) => (each.endsWith(path.sep) ? each : each + path.sep))
    .sort((a, b) => b.length - a.length);  // one may be the end of the other: "/host/tmp/x/" and "/tmp/x/"
}

function relative(file) {
  let name = file;
  if (name.startsWith('file://')) {
    try {
      name = fileURLToPath(name.replace(/\?.*$/, ''));
    } catch {
      return file;
    }
  }
  const root = roots.find((each) => name.startsWith(each));
  return root !== undefined ? name.slice(root.length) : name.replace(layer, '');
}

function isInternalFrame(line) {
  return /^\s+at /.test(line) && (/\(?node:/.test(line) || line.includes(ownFolder) || / \(<anonymous>\)$/.test(line) ||
    /^\s+at new Promise /.test(line));
}

/** The stack of an error (or a description of what was thrown instead of one). */
function cleanStack(error) {
  if (error === null || typeof error !== 'object' || typeof error.stack !== 'string') return inspect(error);
  const lines = error.stack.split('\n').filter((line) => !isInternalFrame(line));
  let text = lines.join('\n');
  for (const root of roots) text = text.replaceAll('file://' + root, '').replaceAll(root, '');
  text = text.replace(layer, '');
  if (error.cause instanceof Error) text += `\n[cause]: ${cleanStack(error.cause)}`;
  return text;
}

// "file:///x/hello.mjs:3" before the source line of a syntax error, "at f (file:///x/hello.mjs:3:7)" in a frame
const header = /^(file:\/\/\/[^\n]*|\/[^\n]*):(\d+)$/m;
const frame = /^\s+at (?:.*\()?(file:\/\/\/[^)\n]*|\/[^)\n]*):(\d+):\d+\)?$/gm;

/** {file, line} in the user's code where the error came from; {} when that cannot be told. */
function placeOf(error) {
  const stack = typeof error?.stack === 'string' ? error.stack : '';
  const head = stack.match(header);
  if (head && (error.name === 'SyntaxError' || stack.startsWith(head[0]))) return { file: relative(head[1]), line: Number(head[2]) };
  for (const [, file, line] of stack.matchAll(frame)) {
    const name = relative(file);
    if (file.includes(ownFolder) || name.includes('node_modules/') || file.search(layer) >= 0) continue;
    return { file: name, line: Number(line) };
  }
  const from = /imported from ([^\n]+)/.exec(error?.message ?? '');
  return from ? { file: relative(from[1]) } : {};
}

module.exports = { setRoot, cleanStack, placeOf, relative };
