'use strict';

/** A query, "x=1&y=%20", as an object; values of the same name are joined by commas. */
function queryOf(text) {
  const query = {};
  for (const [name, value] of new URLSearchParams(text))
    query[name] = Object.hasOwn(query, name) ? `${query[name]},${value}` : value;
  return query;
}

module.exports = { queryOf };
