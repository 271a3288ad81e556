'use strict';
// What a Lambda handler returned, as an HTTP answer (API Gateway's payload format 2.0, and the
// multiValueHeaders of format 1.0).

const { normalName, headText, textHas } = require('./fetch-headers.js');

/** Headers, multiValueHeaders and cookies of an answer as text "name\0value\0...". */
function headOf(answer, defaultType) {
  const several = answer.multiValueHeaders ?? {};
  const names = new Set(Object.keys(several).map(normalName));
  const pairs = [];
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    if (value === undefined || value === null || names.has(normalName(name))) continue;
    for (const one of Array.isArray(value) ? value : [value]) pairs.push([name, `${one}`]);
  }
  for (const [name, values] of Object.entries(several)) for (const value of [values].flat()) pairs.push([name, `${value}`]);
  for (const cookie of answer.cookies ?? []) pairs.push(['set-cookie', `${cookie}`]);
  const text = headText(pairs);
  return defaultType === null || textHas(text, 'content-type') ? text : text + 'content-type\0' + defaultType + '\0';
}

function statusOf(answer) {
  const status = Number(answer.statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new TypeError(`The handler returned statusCode ${answer.statusCode}; it must be between 200 and 599`);
  return status;
}

/** Node passes over what is no Base64, and would give a part of the body, or nothing. */
function decoded(body) {
  const text = body.replace(/\s+/g, '');
  if (!/^[\w+/-]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1)
    throw new TypeError('The handler returned isBase64Encoded, but the body is not Base64');
  return Buffer.from(text, 'base64');
}

function bodyOf(answer) {
  const { body, isBase64Encoded } = answer;
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return isBase64Encoded ? decoded(body) : body;
  return body instanceof Uint8Array ? body : JSON.stringify(body);
}

/** {status, head, body} of anything a handler may return to an HTTP request. */
function answerOf(result) {
  if (result !== null && typeof result === 'object' && result.statusCode !== undefined) {
    const body = bodyOf(result);
    return { status: statusOf(result), head: headOf(result, body === undefined ? null : 'text/plain;charset=utf-8'), body };
  }
  const body = typeof result === 'string' ? result : JSON.stringify(result ?? null);
  return { status: 200, head: 'content-type\0application/json\0', body };
}

module.exports = { answerOf, headOf, statusOf };
