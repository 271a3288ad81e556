'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { start } = require('../testing/harness.js');

// What the fake addon maps is filled with the descriptor's number.
const configuration = { datasets: [
  { name: 'access-log', fd: 103, size: 5, files: [{ name: 'a.log', offset: 0, size: 2 }, { name: 'b.log', offset: 2, size: 3 }] },
  { name: 'empty', fd: 104, size: 0 },
] };
const listed = [[103, 103, 103, 103, 103], [{ name: 'a.log', offset: 0, size: 2 }, { name: 'b.log', offset: 2, size: 3 }], 0, ['access-log', 'empty']];
const seen = `const seen = ({ datasets, datasetFiles }) => [[...new Uint8Array(datasets['access-log'])], datasetFiles('access-log'),
  datasets.empty.byteLength, Object.keys(datasets)];`;

test('every form has its datasets, and code has them while it is loaded', async (t) => {
  for (const [form, source] of [
    ['fetch', `${seen} const init = mayfly.datasets['access-log'];
      export default { fetch: (request, env) => Response.json([seen(env), env.datasets['access-log'] === init]) };`],
    ['lambda', `${seen} const init = mayfly.datasets['access-log'];
      export const handler = async (event, context) => [seen(context), context.datasets['access-log'] === init];`],
    ['express', `${seen} const init = mayfly.datasets['access-log'];
      export default (req, res) => { res.end(JSON.stringify([seen(req.mayfly), req.mayfly.datasets['access-log'] === init])); };`],
  ]) {
    const runtime = start(t, source, { configuration });
    assert.strictEqual((await runtime.ready()).form, form);
    assert.deepStrictEqual((await runtime.get('/')).json, [listed, true]);
  }
});

test('what is not listed is undefined, and the list cannot be changed', async (t) => {
  const runtime = start(t, `'use strict';
    const refused = (action) => { try { action(); } catch (error) { return error.name; } };
    export default { fetch: (request, env) => Response.json([typeof env.datasets.other, typeof env.datasets.toString, typeof env.datasetFiles('other'),
      refused(() => { env.datasets.other = 1; }), refused(() => { env.datasetFiles('access-log')[0].size = 1; }), Object.keys(globalThis).includes('mayfly')]) };`, { configuration });
  assert.deepStrictEqual((await runtime.get('/')).json, ['undefined', 'undefined', 'undefined', 'TypeError', 'TypeError', false]);
});

test('without datasets there is an empty list, and a variable of that name stands before it', async (t) => {
  const source = `const { datasets } = mayfly; export default { fetch: (request, env) => Response.json([Object.keys(datasets).length, env.datasets]) };`;
  assert.deepStrictEqual((await start(t, source).get('/')).json, [0, {}]);
  assert.deepStrictEqual((await start(t, source, { configuration: { env: { datasets: 'mine' } } }).get('/')).json, [0, 'mine']);
});

test('one that cannot be mapped is why the template fails', async (t) => {
  const runtime = start(t, `export default { fetch() {} };`, { configuration: { datasets: [{ name: 'data', fd: 100, size: -1 }] } });
  const { kind, message } = await runtime.failed();
  assert.deepStrictEqual([kind, message], ['init', `Error: the dataset 'data': it cannot be mapped`]);
});

// --- The addon itself, over a file in memory

const build = process.env.MAYFLY_BUILD;
/** Runs `code` with `a.mapDataset`, the descriptor `fd` of a sealed file of `size` bytes that ends with "end", and its size. */
function withAddon(size, code) {
  const script = `import fcntl, os, sys
size = int(sys.argv[1]); file = os.memfd_create("data", os.MFD_ALLOW_SEALING); os.ftruncate(file, size); os.pwrite(file, b"end", max(size - 3, 0))
fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
reader = os.open(f"/proc/self/fd/{file}", os.O_RDONLY); os.close(file); os.dup2(reader, 100)
os.execvp(sys.argv[2], [sys.argv[2], "-e", sys.argv[3]])`;
  const program = `const a = require(${JSON.stringify(path.join(path.resolve(build), 'runtimes/node/mayfly.node'))}); const fd = 100, size = ${size}; ${code}`;
  const { stdout, stderr } = spawnSync('python3', ['-c', script, size, process.execPath, program], { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

test('the addon maps a dataset: a page is copied when it is written to', { skip: build === undefined }, () => {
  assert.deepStrictEqual(withAddon(300_000_001, `
    const data = a.mapDataset(fd, size);
    const end = new Uint8Array(data, size - 3);
    const read = Buffer.from(end).toString();
    end[0] = 'E'.charCodeAt(0);
    console.log(JSON.stringify([data instanceof ArrayBuffer, data.byteLength, read, Buffer.from(data, size - 3).toString(),
      require('fs').existsSync('/proc/self/fd/100')]))`),
    [true, 300_000_001, 'end', 'End', false]);
});

test('one of more than 4 GiB has all of its bytes, whatever views this Node has', { skip: build === undefined }, () => {
  assert.deepStrictEqual(withAddon(5_368_709_120, `
    const data = a.mapDataset(fd, size);
    globalThis.gc?.();
    console.log(JSON.stringify([data instanceof ArrayBuffer, data.byteLength, Buffer.from(data, size - 3, 3).toString(),
      new Uint8Array(data, 2 ** 32 - 2, 4).length]))`),
    [true, 5_368_709_120, 'end', 4]);
});

test('the addon says what cannot be mapped', { skip: build === undefined }, () => {
  assert.deepStrictEqual(withAddon(4, `
    const refused = (...args) => { try { a.mapDataset(...args); } catch (error) { return error.message; } };
    console.log(JSON.stringify([refused(1023, 1), refused(fd, 5)]))`),
    ["the dataset's descriptor 1023 is not open: Bad file descriptor", 'the dataset is said to have 5 bytes, but its file has 4: Invalid argument']);
});
