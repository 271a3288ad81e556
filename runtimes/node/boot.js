'use strict';
// The entry of the Node runtime process. It blocks in addon.forkServer(); what follows runs in the
// children, each by its role:
//
//   runtime process --fork--> template: load the code, check, report, freeze --fork--> instance: serve
//                   --fork--> direct: load the code and serve (code that cannot be forked)

const v8 = require('v8');
const bridge = require('./bridge.js');
bridge.addon = require(process.env.MAYFLY_NODE_ADDON);

require('./fetch-global.js').install();
const datasets = require('./datasets.js');
const forkSafety = require('./fork-safety.js');
const logs = require('./console.js');
const fatal = require('./fatal.js');
const { load, settle, closePools, unsafeReasons, rememberBaseline, describeFailure } = require('./load.js');
const { forgetPid, setEnvironment, setArguments } = require('./process-globals.js');
const { setRoot, cleanStack } = require('./errors.js');
const lambdaStream = require('./lambda-stream.js');
const serve = require('./serve.js');
const { warmUp } = require('./warmup.js');
const { Platform } = require('./platform.js');
const forms = {
  fetch: require('./form-fetch.js'),
  lambda: require('./form-lambda.js'),
  express: require('./form-express.js'),
  events: require('./form-events.js'),
};

let role = 'runtime';
let configuration = null;
let serving = false;

const inert = { onRequest() {}, onBody() {}, onAbort() {}, onWritable() {}, onStop() {},
  onCallResponse() {}, onCallBody() {}, onCallWritable() {}, onCallError() {} };

/**
 * What an instance has beyond its template is limited by `memory`. V8, which plans for gigabytes, would be ended by
 * that limit with garbage in its heap: it gets one of its own a little below it, and collects before it is met. Forks
 * inherit it.
 */
function limitHeap() {
  const { memory } = configuration;
  if (memory > 0) bridge.addon.limitHeap?.(v8.getHeapStatistics().used_heap_size + memory - memory / 8);
}

/** Collect everything twice (the second time what finalizers let go), then block until there is a child. */
function fork() {
  globalThis.gc?.();
  globalThis.gc?.();
  // Sweeping is left for later by the collector, and would be done by each child again, on its own copies of
  // the pages. To count code V8 must walk its heap, and sweeps it first.
  v8.getHeapCodeStatistics();
  if (role === 'template') limitHeap();
  const child = bridge.addon.forkServer();
  role = child.role;
  configuration = { ...configuration, ...child };
  forgetPid();
  forkSafety.afterFork(role === 'template');
}

/** The one way out that code can cause, told to whom it concerns in this role. */
function report(kind, message, stack) {
  logs.flush();
  if (role === 'direct' && !serving) bridge.addon.serve(inert);  // only a serving instance can report
  if (role === 'instance' || role === 'direct') bridge.addon.fatal(kind, message, stack);
  if (role === 'template') {
    const text = kind === 'exit' ? `process.exit(${message}) was called while the code was loading` : message;
    bridge.addon.failed(JSON.stringify({ kind: 'init', message: text, stack }));
  }
  bridge.addon.exit(1);
}

function stop() {
  // The last answers are written before the loop looks for what is ready; only then may this process end.
  setImmediate(() => {
    process.emit('exit', process.exitCode ?? 0);
    logs.flush();
    bridge.addon.exit(0);
  });
}

function startServing(loaded) {
  Platform.function = configuration.function;
  const serveInvocation = forms[loaded.form].start(loaded.handler, configuration);
  const serveEvent = forms.events.startEvents(loaded, configuration, serveInvocation);
  serving = true;
  serve.start(serveInvocation, serveEvent, { onIdle: logs.flush, onStopped: stop });
}

async function loadCode() {
  setRoot(configuration.root);
  // Frameworks show stacks to the public in anything but production.
  setEnvironment({ NODE_ENV: 'production', ...configuration.env });
  setArguments(configuration);
  rememberBaseline();
  try {
    datasets.mapAll(configuration);
    return await load(configuration);
  } catch (error) {
    logs.flush();
    if (role === 'direct') report('uncaught', describeFailure(error, configuration).message, cleanStack(error));
    bridge.addon.failed(JSON.stringify(describeFailure(error, configuration)));
    bridge.addon.exit(1);
  }
}

async function runTemplate() {
  const loaded = await loadCode();
  await settle();
  await closePools();
  const unsafe = [...unsafeReasons(), ...(bridge.addon.unsafe?.() ?? [])];
  const warnings = unsafe.map((reason) => `${reason}: each instance loads the code itself instead of being forked`);
  const summary = { form: loaded.form, warnings, unsafe };
  if (loaded.form === 'lambda') summary.concurrency = 1;
  logs.flush();
  bridge.addon.ready(JSON.stringify(summary));
  // From an immediate the stack is shallow and no microtask waits: every instance begins there.
  setImmediate(() => {
    fork();
    startServing(loaded);
  });
}

async function runDirect() {
  limitHeap();
  startServing(await loadCode());
}

async function main() {
  setEnvironment({});
  forkSafety.install();
  datasets.install();
  lambdaStream.install();
  logs.install(serve.current);
  fatal.install(report);
  await warmUp(forms);
  setImmediate(() => {
    fork();
    if (role === 'template') runTemplate();
    else runDirect();
  });
}

main();
