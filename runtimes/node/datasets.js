'use strict';
// The datasets that this function lists, in memory that all its instances share: `env.datasets`, `env.datasetFiles()`,
// and before there is an invocation `mayfly.datasets`, `mayfly.datasetFiles()`.

const bridge = require('./bridge.js');

const datasets = Object.create(null);  // name -> ArrayBuffer
const files = Object.create(null);     // name -> [{name, offset, size}]

/** What a dataset was made of: [{name, offset, size}], in their order; undefined: the function lists none of this name. */
const datasetFiles = (name) => files[name];

/** Before any user code, once. What is forked from here has them too. */
function mapAll({ datasets: given = [] }) {
  for (const { name, fd, size, files: its = [] } of given) {
    try {
      datasets[name] = bridge.addon.mapDataset(fd, size);
    } catch (error) {
      throw new Error(`the dataset '${name}': ${error.message}`);
    }
    files[name] = Object.freeze(its.map((file) => Object.freeze({ name: file.name, offset: file.offset, size: file.size })));
  }
  Object.freeze(datasets);
}

/** A global `mayfly`, for code that runs while it is loaded; a program may put its own in its place. */
function install() {
  Object.defineProperty(globalThis, 'mayfly', { value: Object.freeze({ datasets, datasetFiles }), writable: true, configurable: true, enumerable: false });
}

module.exports = { datasets, datasetFiles, mapAll, install };
