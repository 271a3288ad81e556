'use strict';
// Runs boot.js over the fake addon in a process of its own, as the daemon would see it.

const { spawn } = require('child_process');
const { once, EventEmitter } = require('events');
const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');

const nodeFlags = ['--single-threaded', '--v8-pool-size=0', '--expose-gc', '--no-memory-reducer'];
const encode = (value) => (value === undefined ? '$undefined'
  : value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value);
const bytesOf = (value) => (value === undefined || value === null ? Buffer.alloc(0)
  : typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.bytes, 'base64'));

function pairs(text) {
  const parts = (text ?? '').split('\0');
  const list = [];
  for (let i = 0; i + 1 < parts.length; i += 2) list.push([parts[i], parts[i + 1]]);
  return list;
}

/** What came back for one request. */
class Answer {
  status = 0;
  headerList = [];
  chunks = [];
  error = null;   // {kind, message, stack}
  done = 0;       // how often the slot was freed
  credit = 0;
  header(name) {
    const values = this.headerList.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v);
    return values.length === 0 ? undefined : values.join(', ');
  }
  headers(name) { return this.headerList.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v); }
  get body() { return Buffer.concat(this.chunks); }
  get text() { return this.body.toString(); }
  get json() { return JSON.parse(this.text); }
}

class Runtime extends EventEmitter {
  events = [];
  #answers = new Map();
  #next = 1;

  constructor(root, options) {
    super();
    this.setMaxListeners(0);
    this.root = root;
    const configuration = { root, entry: 'index.mjs', handler: 'default', function: 'test', version: 1, env: {}, ...options.configuration };
    const env = { ...process.env, NODE_OPTIONS: '', DAEMON_SECRET: 'x', MAYFLY_NODE_ADDON: path.join(__dirname, 'fake-addon.js'),
      FAKE_ADDON: JSON.stringify({ roles: options.roles ?? ['template', 'instance'], configuration }) };
    delete env.NODE_TEST_CONTEXT;
    this.child = spawn(process.execPath, [...nodeFlags, path.join(__dirname, '..', 'boot.js')],
      { cwd: root, env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.exited = once(this.child, 'exit');
    this.stderr = '';
    this.child.stderr.on('data', (data) => { this.stderr += data; });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.#on(JSON.parse(line)));
    this.child.on('exit', () => this.emit('event', { event: 'gone', args: [] }));
  }

  #on(message) {
    this.events.push(message);
    const { event, args } = message;
    const answer = this.#answers.get(args[0]);
    if (answer !== undefined) {
      if (event === 'respond' || event === 'respondStart') {
        if (answer.status !== 0) throw new Error('two heads for one request');
        answer.status = args[1];
        answer.headerList = pairs(args[2]);
        if (event === 'respond') answer.chunks.push(bytesOf(args[3]));
        if (event === 'respond' && args[4] === true) ++answer.done;
      } else if (event === 'respondChunk') answer.chunks.push(bytesOf(args[1]));
      else if (event === 'respondEnd') answer.ended = true;
      else if (event === 'respondError') answer.error = { kind: args[1], message: args[2], stack: args[3] };
      else if (event === 'requestCredit') answer.credit += args[1];
      else if (event === 'done') ++answer.done;
    }
    this.emit('event', message);
  }

  /** Wait until `test(events)` gives something; fails when the process goes first. */
  async until(test) {
    for (;;) {
      const found = test(this.events);
      if (found) return found;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        if (test(this.events)) continue;
        throw new Error(`the runtime is gone: ${this.stderr}\n${JSON.stringify(this.events.slice(-3))}`);
      }
      await once(this, 'event', { signal: AbortSignal.timeout(10000) }).catch(() => {
        throw new Error(`nothing happens: ${this.stderr}\n${JSON.stringify(this.events.slice(-5))}`);
      });
    }
  }
  event(name) {
    return this.until((events) => events.find(({ event }) => event === name)).then(({ args }) => args);
  }
  async ready() { return JSON.parse((await this.event('ready'))[0]); }
  async failed() { return JSON.parse((await this.event('failed'))[0]); }
  get logs() { return this.events.filter(({ event }) => event === 'log').map(({ args: [level, text, id] }) => ({ level, text, id })); }

  call(name, args, more = {}) {
    this.child.stdin.write(JSON.stringify({ call: name, args: args.map(encode), ...more }) + '\n');
  }
  /** Begin a request; returns its Answer, which fills as it comes. */
  begin(method, target, { headers = {}, body, more = false, kind = 'http', window, deadline = Date.now() + 10000 } = {}) {
    const id = this.#next++;
    const answer = new Answer();
    answer.id = id;
    this.#answers.set(id, answer);
    const head = Object.entries({ host: 'example.com', ...headers }).flatMap(([name, value]) => [value].flat().map((v) => `${name}\0${v}\0`)).join('');
    const info = ['inv-' + id, deadline, '192.0.2.1', 'http', '', kind].join('\0');
    this.call('onRequest', [id, method, target, head, body === undefined ? undefined : Buffer.from(body), more, info], { window });
    return answer;
  }
  async finished(answer) {
    await this.until(() => answer.done > 0);
    return answer;
  }
  async request(method, target, options) {
    return this.finished(this.begin(method, target, options));
  }
  get(target, options) { return this.request('GET', target, options); }
  async stop() {
    this.child.kill('SIGKILL');
    await this.exited;
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

/**
 * Start a runtime on `files` ({name: text}) and stop it when the test `t` ends. options: roles,
 * configuration, packages (a folder whose node_modules the code may use).
 */
function start(t, files, options = {}) {
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'mayfly-node-')));
  const sources = typeof files === 'string' ? { 'index.mjs': files } : files;
  for (const [name, text] of Object.entries(sources)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  }
  if (options.packages) fs.symlinkSync(path.join(options.packages, 'node_modules'), path.join(root, 'node_modules'));
  const entry = options.configuration?.entry ?? Object.keys(sources)[0];
  const runtime = new Runtime(root, { ...options, configuration: { entry, ...options.configuration } });
  t.after(() => runtime.stop());
  return runtime;
}

module.exports = { start };
