// What a handler for Mayfly's Node runtime sees beyond Node's own types. Nothing here is needed at run time.

declare namespace Mayfly {
  /** The function's configured environment. */
  type Env = Record<string, string>;

  interface Context {
    /** Keep the invocation's slot until the promise is settled; a failure is logged. */
    waitUntil(promise: Promise<unknown>): void;
    passThroughOnException(): void;
    /** The value of the answer's Mayfly-Invocation header. */
    readonly invocationId: string;
    /** When the invocation must have ended. */
    readonly deadline: Date;
    getRemainingTimeInMillis(): number;
    readonly props: Record<string, unknown>;
  }

  /** `export default { fetch(request, env, ctx) }` */
  interface Handler<E = Env> {
    fetch(request: Request, env: E, ctx: Context): Response | Promise<Response>;
  }

  /** `export const handler = async (event, context) => ...`; HTTP requests are events of payload format 2.0. */
  type LambdaHandler<Event = any, Result = any> = (
    event: Event, context: LambdaContext, callback: (error: unknown, result?: Result) => void) => Result | Promise<Result> | void;

  interface LambdaContext {
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
  type NodeHandler = (req: import('node:http').IncomingMessage, res: import('node:http').ServerResponse) => void | Promise<void>;
}
