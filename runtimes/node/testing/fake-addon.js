'use strict';
// Stands in for the C++ addon in a process of its own: it forks nothing, each forkServer() just goes on as
// the next role. What the bridge calls is written to stdout as JSON lines; lines on stdin are callbacks.

const fs = require('fs');
const net = require('net');
const readline = require('readline');

const { roles, configuration } = JSON.parse(process.env.FAKE_ADDON);
const windows = new Map();

const encode = (value) => (value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value);
const decode = (value) => (value?.bytes !== undefined ? Buffer.from(value.bytes, 'base64') : value === '$undefined' ? undefined : value);

function tell(event, ...args) {
  const line = Buffer.from(JSON.stringify({ event, args: args.map(encode) }) + '\n');
  for (let at = 0; at < line.length;) {
    try {
      at += fs.writeSync(1, line, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

const addon = {
  forkServer() {
    const role = roles.shift();
    if (role === undefined) process.kill(process.pid, 'SIGKILL');
    tell('fork', role);
    return { ...configuration, role };
  },
  unsafe: () => [],
  mapDataset(fd, size) {
    if (size < 0) throw new Error('it cannot be mapped');
    return new Uint8Array(size).fill(fd).buffer;
  },
  serve(callbacks) {
    tell('serve');
    readline.createInterface({ input: new net.Socket({ fd: 0, readable: true }) }).on('line', (line) => {
      const { call, args, window } = JSON.parse(line);
      if (window !== undefined) windows.set(args[0], window);
      callbacks[call](...args.map(decode));
    });
  },
  respondChunk(id, chunk) {
    tell('respondChunk', id, chunk);
    if (!windows.has(id)) return true;
    const left = windows.get(id) - Buffer.byteLength(chunk);
    windows.set(id, left);
    return left > 0;
  },
  exit(code) {
    tell('exit', code);
    leave(code);
  },
  fatal(kind, message, stack) {
    tell('fatal', kind, message, stack);
    leave(kind === 'exit' ? Number(message) : 1);
  },
};
for (const name of ['ready', 'failed', 'respond', 'respondStart', 'respondEnd', 'respondError', 'requestCredit', 'done', 'log'])
  addon[name] = (...args) => tell(name, ...args);

const leave = process.reallyExit.bind(process);
module.exports = addon;
