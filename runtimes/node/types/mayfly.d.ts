// What a handler for Mayfly's Node runtime sees beyond Node's own types. Nothing here is needed at run time.

declare namespace Mayfly {
  interface CallInit {
    method?: string;
    /** With its query: "/a?b=c". */
    path?: string;
    headers?: HeadersInit;
    body?: BodyInit | null;
    /** Instead of a body: an event, as JSON. */
    payload?: unknown;
    signal?: AbortSignal;
  }

  interface PublishOptions {
    id?: string;
    source?: string;
    type?: string;
    subject?: string;
    time?: string | Date;
    dataSchema?: string;
    partition?: string;
    contentType?: string;
    extensions?: Record<string, string>;
  }

  /** Why a call has no answer. */
  interface CallError extends Error {
    type: string;
    status: number;
    details: Record<string, string>;
  }

  /** One of the files that a dataset was made of: its `size` bytes, from `offset` on. */
  interface DatasetFile {
    readonly name: string;
    readonly offset: number;
    readonly size: number;
  }

  /** The datasets that the function lists, in memory that all its instances share. */
  interface Datasets {
    /** What is written to one is this instance's own copy of the page. */
    readonly datasets: Readonly<Record<string, ArrayBuffer>>;
    datasetFiles(name: string): readonly DatasetFile[] | undefined;
  }

  /** Other functions, topics and datasets: on `env`, `context` or `req.mayfly`. */
  interface Platform extends Datasets {
    invoke(name: string, request?: CallInit | Request | string | URL, init?: RequestInit): Promise<Response>;
    /** In a decorator: what it is around. */
    next(request?: CallInit | Request | string | URL, init?: RequestInit): Promise<Response>;
    publish(topic: string, data?: unknown, options?: PublishOptions): Promise<{ id: string }>;
    readonly functions: Record<string, { fetch(request: Request | string | URL, init?: RequestInit): Promise<Response> }>;
  }

  /** The function's configured environment, and the platform. */
  type Env = Record<string, string> & Platform;

  interface Context {
    /** Keep the invocation's slot until the promise is settled; a failure is logged. */
    waitUntil(promise: Promise<unknown>): void;
    passThroughOnException(): void;
    /** The value of the answer's Mayfly-Invocation header. */
    readonly invocationId: string;
    /** What stands in the places of a route's placeholders, decoded: {id: "7"} for "/users/:id". */
    readonly params: Record<string, string>;
    /** When the invocation must have ended. */
    readonly deadline: Date;
    getRemainingTimeInMillis(): number;
    readonly props: Record<string, unknown>;
  }

  /** `export default { fetch(request, env, ctx), queue(batch, env, ctx), scheduled(controller, env, ctx) }`, at least one of them. */
  interface Handler<E = Env, Body = unknown, Payload = unknown> {
    fetch?(request: Request, env: E, ctx: Context): Response | Promise<Response>;
    queue?(batch: MessageBatch<Body>, env: E, ctx: Context): void | Promise<void>;
    /** What it returns is kept as the result. */
    scheduled?(controller: ScheduledController<Payload>, env: E, ctx: Context): unknown;
  }

  /** Events of a topic. What was not decided when the handler returns is acknowledged; when it throws it comes again. */
  interface MessageBatch<Body = unknown> {
    /** The topic's name. */
    readonly queue: string;
    readonly messages: readonly Message<Body>[];
    ackAll(): void;
    retryAll(options?: RetryOptions): void;
  }

  interface Message<Body = unknown> {
    /** Of this delivery: the same at every attempt. */
    readonly id: string;
    /** When the event was accepted. */
    readonly timestamp: Date;
    /** 1 the first time. */
    readonly attempts: number;
    /** The attributes of CloudEvents: id, source, type, specversion, datacontenttype, … */
    readonly attributes: Readonly<Record<string, string>>;
    /** A JSON value; a string of data of type text/*; else a Uint8Array. undefined: the event has no data. */
    readonly body: Body;
    ack(): void;
    retry(options?: RetryOptions): void;
  }

  interface RetryOptions {
    /** Until the next attempt; without it the subscription's own delay. */
    delaySeconds?: number;
  }

  interface ScheduledController<Payload = unknown> {
    readonly type: "scheduled";
    /** The schedule as it was written: "0 3 * * *". */
    readonly cron: string;
    readonly timezone?: string;
    /** When it was due: milliseconds since 1970. */
    readonly scheduledTime: number;
    /** What the schedule was given; undefined: nothing. */
    readonly payload: Payload;
    /** Should this attempt fail, there is no other. */
    noRetry(): void;
  }

  /** `export const handler = async (event, context) => ...`; HTTP requests are events of payload format 2.0. */
  type LambdaHandler<Event = any, Result = any> = (
    event: Event, context: LambdaContext, callback: (error: unknown, result?: Result) => void) => Result | Promise<Result> | void;

  /** Events of a topic, for a Lambda handler; of a batch that failed in part it returns a LambdaBatchAnswer. */
  interface LambdaQueueEvent {
    Records: {
      messageId: string;
      receiptHandle: string;
      /** The data as text; in base64 if it is neither JSON nor text. */
      body: string;
      isBase64Encoded?: true;
      attributes: { ApproximateReceiveCount: string; SentTimestamp: string };
      /** The attributes of CloudEvents. */
      messageAttributes: Record<string, { stringValue: string; dataType: "String" }>;
      eventSource: "mayfly:queue";
      /** "mayfly:topic:NAME" */
      eventSourceARN: string;
    }[];
  }

  interface LambdaBatchAnswer {
    batchItemFailures: { itemIdentifier: string }[];
  }

  /** A schedule, for a Lambda handler. */
  interface LambdaScheduledEvent<Payload = Record<string, unknown>> {
    version: "0";
    id: string;
    source: "mayfly.schedule";
    "detail-type": "Scheduled Event";
    time: string;
    /** The schedule as it was written. */
    resources: [string];
    detail: Payload;
  }

  interface LambdaContext extends Platform {
    callbackWaitsForEmptyEventLoop: boolean;
    functionName: string;
    functionVersion: string;
    invokedFunctionArn: string;
    memoryLimitInMB: string;
    awsRequestId: string;
    logGroupName: string;
    logStreamName: string;
    getRemainingTimeInMillis(): number;
    done(error?: unknown, result?: unknown): void;
    succeed(result?: unknown): void;
    fail(error: unknown): void;
  }

  /** `export default (req, res) => ...`, or an Express app. */
  type NodeHandler = (req: import('node:http').IncomingMessage & { mayfly: Platform }, res: import('node:http').ServerResponse) => void | Promise<void>;
}

/** For code that runs while it is loaded. */
declare const mayfly: Mayfly.Datasets;
