'use strict';
module.exports = { start() { throw new Error('not there yet'); } };
