// Tries what the path's last part names, to get out of its sandbox or to take too much. Answers "ESCAPED: what" or "refused: error".
// Every bomb ends by itself, in case that nothing stops it.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';

const longest = 20_000; // ms
const others = () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function allRefused(attempts) {
  const done = attempts.filter((attempt) => { try { attempt(); return true; } catch { return false; } });
  return done.length ? `ESCAPED: ${done}` : `refused: all of ${attempts.length}`;
}

const attempts = {
  reads: (path) => `ESCAPED: ${fs.readFileSync(path, 'utf8').slice(0, 40)}`,
  reads_others: () => allRefused(others().flatMap((pid) => ['environ', 'mem', 'maps', 'root/etc/passwd'].map((file) => () => {
    const descriptor = fs.openSync(`/proc/${pid}/${file}`);
    try { fs.readSync(descriptor, Buffer.alloc(1)); } finally { fs.closeSync(descriptor); }
  }))),
  signals_others: () => allRefused(others().map((pid) => () => process.kill(Number(pid), 'SIGKILL'))),
  writes_its_source: () => { fs.appendFileSync(new URL(import.meta.url), ' '); return 'ESCAPED: its source is changed'; },
  kills_everybody: () => { process.kill(-1, 'SIGKILL'); return 'ESCAPED: it was let'; },
  stops: () => { process.kill(process.pid, 'SIGSTOP'); return 'ESCAPED: it went on'; },
  loops: () => { const end = Date.now() + longest; while (Date.now() < end); return 'ESCAPED: it ended by itself'; },
  connects: (port) => new Promise((resolve) => {
    const connection = net.connect(Number(port), '127.0.0.1', () => { resolve('ESCAPED: connected'); connection.destroy(); });
    connection.on('error', (error) => resolve(`refused: ${error.code}`));
  }),
  // At most 100 processes, for 20 s.
  async forks() {
    for (let i = 0; i < 100; ++i) spawn('sleep', ['20'], { detached: true }).on('error', () => {});
    await sleep(2000);
    return 'ESCAPED: 100 children';
  },
  // At most 512 MiB.
  async eats_memory() {
    const kept = [];
    for (let i = 0; i < 128; ++i) kept.push(Buffer.alloc(4 << 20, 1));
    await sleep(1000);
    return `ESCAPED: ${kept.length * 4} MiB`;
  },
  // At most 20,000.
  opens_files() {
    const opened = [];
    try {
      while (opened.length < 20_000) opened.push(fs.openSync('/dev/null'));
      return 'ESCAPED: 20000';
    } catch (error) {
      return `refused: ${error.code} after ${opened.length}`;
    } finally {
      opened.forEach((each) => fs.closeSync(each));
    }
  },
  // At most 512 MiB.
  fills_the_disk() {
    const part = Buffer.alloc(1 << 20);
    let written = 0;
    try {
      const file = fs.openSync('/tmp/big', 'w');
      while (written < 512 << 20) written += fs.writeSync(file, part);
      return 'ESCAPED: 512 MiB';
    } catch (error) {
      return `refused: ${error.code} after ${written >> 20} MiB`;
    }
  },
};

export default {
  async fetch(request) {
    const url = new URL(request.url);
    const name = url.pathname.split('/').pop();
    const given = url.searchParams.get('with') ?? '';
    if (name === 'hold') { await sleep(Number(given) * 1000); return new Response('held'); }
    if (name === 'never_ends') return new Response(new ReadableStream({ async pull(to) { await sleep(1); to.enqueue(new Uint8Array(65536)); } }));
    if (!(name in attempts)) return new Response('fine');
    try {
      return new Response(await attempts[name](given));
    } catch (error) {
      return new Response(`refused: ${error.code ?? error}`);
    }
  },
};
