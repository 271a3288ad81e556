'use strict';
// How a function of any form receives events: the deliveries of a queue and of a schedule (docs/wire.md). Its
// queue() or scheduled() if it has one, else its handler: a Lambda handler gets the events that it knows, any
// other one gets each event as an HTTP request.

const { isUint8Array } = require('util').types;
const bridge = require('./bridge.js');
const { cleanStack } = require('./errors.js');
const { collect } = require('./fetch-body.js');
const { parse } = require('./fetch-headers.js');
const { requestOf } = require('./cloud-event.js');
const { EventContext, environmentOf } = require('./context.js');
const { MessageBatch, decisionsOf } = require('./queue-batch.js');
const { MessageInvocation } = require('./message-invocation.js');
const { recordsOf, batchAnswer, scheduledEventOf } = require('./lambda-records.js');
const lambda = require('./form-lambda.js');

let loaded = null;     // see handler.js
let serveHttp = null;  // serves an invocation as a request
let Env = null;     // the class of `env`

function answer(invocation, value, status = 200, type = 'application/json') {
  invocation.respond(status, `content-type\0${type}\0`, JSON.stringify(value ?? null));
}

function problem(invocation, status, slug, title, detail) {
  const document = { type: `urn:mayfly:function:${slug}`, title, status, detail, invocation: invocation.invocationId };
  answer(invocation, document, status, 'application/problem+json');
}

// --- queue(batch, env, ctx)

async function callQueue(invocation, delivered) {
  const batch = new MessageBatch(delivered);
  const decisions = decisionsOf(batch);
  const ctx = new EventContext(invocation);
  let failure = null;
  try {
    await loaded.queue(batch, new Env(invocation), ctx);
  } catch (error) {
    failure = { error };
  }
  await ctx.settled().catch((error) => { failure ??= { error, logged: true }; });
  if (failure !== null && decisions.none) {
    invocation.fail(failure.error);
    return;
  }
  if (failure !== null && !failure.logged) bridge.addon.log('error', cleanStack(failure.error), invocation.id);
  answer(invocation, decisions.answer(failure !== null));
}

// --- scheduled(controller, env, ctx)

class ScheduledController {
  type = 'scheduled';
  #retries = true;

  constructor({ schedule, timezone, time, payload }) {
    this.cron = schedule;
    this.timezone = timezone;
    this.scheduledTime = Date.parse(time);
    this.payload = payload;
  }
  /** Should it fail, it is not tried again. */
  noRetry() { this.#retries = false; }
  static retries(controller) { return controller.#retries; }
}

async function callScheduled(invocation, event) {
  const controller = new ScheduledController(event);
  const ctx = new EventContext(invocation);
  try {
    let result;
    try {
      result = await loaded.scheduled(controller, new Env(invocation), ctx);
    } finally {
      await ctx.settled();
    }
    answer(invocation, result);
  } catch (error) {
    if (ScheduledController.retries(controller)) invocation.fail(error);
    else failForGood(invocation, error);
  }
}

function failForGood(invocation, error) {
  bridge.addon.log('error', cleanStack(error), invocation.id);
  const body = { type: 'urn:mayfly:pool:handler-threw', title: 'The function failed', status: 500,
    detail: `${error?.name ?? 'Error'}: ${error?.message ?? error}`, invocation: invocation.invocationId };
  invocation.respond(500, 'content-type\0application/problem+json\0mayfly-retry\0never\0', JSON.stringify(body));
}

// --- A Lambda handler

/** What it returned. Of one that streams nothing is wanted but whether it failed. */
function callLambda(invocation, event) {
  return new Promise((resolve, reject) => {
    const streamed = new MessageInvocation(invocation, { head: '', body: undefined }, true);
    streamed.over.then(() => { resolve(undefined); });
    lambda.invoke(streamed, event, (error, result) => {
      if (error === null || error === undefined) resolve(result);
      else reject(error);
    });
  });
}

// --- Each message as an HTTP request

async function sendMessages(invocation, { messages }) {
  const headers = parse(invocation.head);
  const retry = [];
  for (const message of messages) {
    if (invocation.aborted !== null) throw invocation.abortError();
    const current = new MessageInvocation(invocation, requestOf(message, headers), messages.length === 1);
    serveHttp(current);
    const { status, retryAfter, error, told } = await current.over;
    if (told) return;
    if (error === undefined && status < 400) continue;
    const why = error === undefined ? `was answered with status ${status}` : `failed: ${cleanStack(error)}`;
    bridge.addon.log('error', `The message ${message.id} ${why}`, invocation.id);
    retry.push(retryAfter === undefined ? { id: message.id } : { id: message.id, delay_s: retryAfter });
  }
  answer(invocation, retry.length === 0 ? {} : { retry });
}

/** The delivery itself becomes the request, and its answer is the schedule's result. */
function sendSchedule(invocation, event) {
  const { schedule, timezone, time, payload } = event;
  const attributes = { specversion: '1.0', id: invocation.invocationId, type: 'mayfly.schedule', source: '/schedules', time, schedule };
  if (timezone !== undefined) attributes.timezone = timezone;
  const { head, body } = requestOf({ attributes, data: payload }, parse(invocation.head));
  invocation.become('POST', '/', head, body);
  serveHttp(invocation);
}

// --- Serving

async function deliverBatch(invocation, batch) {
  if (loaded.queue !== undefined) await callQueue(invocation, batch);
  else if (loaded.form === 'lambda') answer(invocation, batchAnswer(await callLambda(invocation, recordsOf(batch)), batch));
  else if (loaded.form !== 'events') await sendMessages(invocation, batch);
  else throw new TypeError('The function has no queue(batch, env, ctx) that could take messages');
}

async function deliverSchedule(invocation, event) {
  if (loaded.scheduled !== undefined) await callScheduled(invocation, event);
  else if (loaded.form === 'lambda') answer(invocation, await callLambda(invocation, scheduledEventOf(event, invocation.invocationId)));
  else if (loaded.form !== 'events') sendSchedule(invocation, event);
  else throw new TypeError('The function has no scheduled(controller, env, ctx) that could take a schedule');
}

async function deliver(invocation) {
  try {
    const source = invocation.bodySource();
    const found = source === null ? '' : collect(source);
    const bytes = isUint8Array(found) || found === '' ? found : await found;
    const event = JSON.parse(Buffer.from(bytes).toString());
    await (invocation.eventKind === 'queue' ? deliverBatch : deliverSchedule)(invocation, event);
  } catch (error) {
    invocation.fail(error);
  }
}

/** Serves an event; it never throws. What is no delivery is a payload, which each form takes as it likes. */
function serveEvent(invocation) {
  if (invocation.eventKind === undefined) serveHttp(invocation);
  else deliver(invocation);
}

/** Of a function that has queue() or scheduled() and nothing else. */
function refuse(invocation) {
  const has = ['queue', 'scheduled'].filter((name) => loaded[name] !== undefined).map((name) => `${name}()`).join(' and ');
  problem(invocation, 404, 'events-only', 'This function takes events only', `It has ${has}, and no handler of requests.`);
}

/** `its`: what findHandler() gave; serve: what serves its requests, or null. Returns what serves its events. */
function startEvents(its, configuration, serve) {
  loaded = its;
  serveHttp = serve;
  Env = environmentOf(configuration);
  return serveEvent;
}

/** As a form of its own, that of a function without a handler of requests. */
function start() {
  return refuse;
}

module.exports = { start, startEvents };
