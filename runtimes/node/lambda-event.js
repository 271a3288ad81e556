'use strict';
// An HTTP request as the event that a Lambda handler expects: API Gateway's payload format 2.0.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

const { isUtf8 } = require('buffer');
const { parse } = require('./fetch-headers.js');
const { queryOf } = require('./query.js');

const textTypes = /^(?:text\/|application\/(?:json|javascript|xml|graphql|x-ndjson|x-www-form-urlencoded)\b|[^;]*\+(?:json|xml)\b)/i;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** "12/Mar/2020:19:03:58 +0000" */
function clfTime(date) {
  const two = (n) => String(n).padStart(2, '0');
  return `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}:` +
    `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

/** {headers, cookies}: header names in lower case, repeated ones joined by commas. */
function headersOf(head) {
  const list = parse(head);
  const headers = {};
  const cookies = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i], value = list[i + 1];
    if (name === 'cookie') cookies.push(...value.split(/; */).filter((cookie) => cookie !== ''));
    const join = name === 'cookie' ? '; ' : ',';
    headers[name] = Object.hasOwn(headers, name) ? headers[name] + join + value : value;
  }
  return { headers, cookies };
}

function isText(headers, bytes) {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') return false;
  const type = headers['content-type'];
  return (type === undefined || textTypes.test(type) || /charset=utf-?8/i.test(type)) && isUtf8(bytes);
}

/** `bytes`: the whole body, or null. */
function eventOf(invocation, bytes) {
  const [rawPath, rawQueryString = ''] = split(invocation.target);
  const { headers, cookies } = headersOf(invocation.head);
  const now = new Date();
  const domainName = headers.host ?? 'localhost';
  const routeKey = headers['mayfly-route'] ?? '$default';
  const parameters = headers['mayfly-path-parameters'];
  const event = {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString,
    headers,
    requestContext: {
      accountId: 'anonymous',
      apiId: 'mayfly',
      domainName,
      domainPrefix: domainName.split('.')[0],
      http: {
        method: invocation.method,
        path: rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: invocation.remoteAddress,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: invocation.invocationId,
      routeKey,
      stage: '$default',
      time: clfTime(now),
      timeEpoch: now.getTime(),
    },
    isBase64Encoded: false,
  };
  if (headers['mayfly-jwt-claims'] !== undefined) event.requestContext.authorizer = authorizerOf(headers['mayfly-jwt-claims']);
  if (cookies.length > 0) event.cookies = cookies;
  if (parameters !== undefined) event.pathParameters = queryOf(parameters);
  if (rawQueryString !== '') event.queryStringParameters = queryOf(rawQueryString);
  if (bytes !== null && bytes.byteLength > 0) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    event.isBase64Encoded = !isText(headers, buffer);
    event.body = buffer.toString(event.isBase64Encoded ? 'base64' : 'utf8');
  }
  return event;
}

/** A claim as API Gateway gives it: a text, a list as "[a b]". */
function claimText(value) {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? `[${value.map(claimText).join(' ')}]` : JSON.stringify(value);
}

/** What the platform has verified of the caller's token; only it can set this header. */
function authorizerOf(encoded) {
  const token = JSON.parse(Buffer.from(encoded, 'base64url').toString());
  const claims = Object.fromEntries(Object.entries(token).map(([name, value]) => [name, claimText(value)]));
  const scopes = [token.scope, token.scp].flatMap((value) => (typeof value === 'string' ? value.split(' ') : value ?? []))
    .filter((scope) => typeof scope === 'string' && scope !== '');
  return { jwt: { claims, scopes: scopes.length > 0 ? [...new Set(scopes)] : null } };
}

function split(target) {
  const at = target.indexOf('?');
  return at === -1 ? [target] : [target.slice(0, at), target.slice(at + 1)];
}

module.exports = { eventOf };
