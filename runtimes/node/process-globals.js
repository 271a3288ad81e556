'use strict';
// Makes `process` in a child what the function's code should see: its own environment, arguments and pid.

const fs = require('fs');
const path = require('path');

let pid = 0;

function ownPid() {
  if (pid === 0) {
    try {
      pid = Number(fs.readlinkSync('/proc/self'));
    } catch {
      return originalPid;  // no /proc in the sandbox
    }
  }
  return pid;
}

const originalPid = process.pid;

/** After every fork: the pid that was looked up is the parent's. */
function forgetPid() {
  pid = 0;
  const own = Object.getOwnPropertyDescriptor(process, 'pid');
  if (own && 'value' in own)
    Object.defineProperty(process, 'pid', { get: ownPid, enumerable: true, configurable: true });
}

/** The function's environment and nothing of the daemon's. */
function setEnvironment(env) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
}

function setArguments(configuration) {
  const entry = path.resolve(configuration.root, configuration.entry);
  process.argv = [process.execPath, entry];
  process.execArgv = [];
  // Packages look for the application's folder here. It must stay another module than the entry, so that
  // `require.main === module` (which starts a server in many files) does not hold.
  if (process.mainModule) process.mainModule.filename = entry;
}

module.exports = { forgetPid, setEnvironment, setArguments };
