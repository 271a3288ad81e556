'use strict';
// The one place that holds the addon. boot.js puts it here; tests and the warm-up put others.

module.exports = { addon: null };
