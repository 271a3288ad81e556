// A function as aws-lambda-ric, Lambda's own runtime client for Node, runs it.
"use strict";
exports.handler = async (event, context) => {
  const path = event.rawPath;
  if (path === "/error") throw new TypeError("on purpose");
  if (path === "/large") return { statusCode: 200, body: "x".repeat(7 << 20) };
  if (path === "/exit") {
    require("fs").writeSync(2, "leaving now\n");
    process.reallyExit(3);
  }
  console.log("a line of the Node function");
  const left = context.getRemainingTimeInMillis() > 1000;
  const { method } = event.requestContext.http;
  return {
    statusCode: 201,
    headers: { "content-type": "text/plain", "x-request-id": context.awsRequestId },
    cookies: ["a=1", "b=2"],
    body: `${method} ${path} q=${event.queryStringParameters?.q ?? ""} body=${event.body ?? ""} fn=${context.functionName} left=${left}`,
  };
};

if (globalThis.awslambda) {
  exports.parts = awslambda.streamifyResponse(async (event, stream) => {
    const answer = awslambda.HttpResponseStream.from(stream, { statusCode: 202, headers: { "content-type": "text/x-parts" } });
    for (let i = 0; i < 3; ++i) answer.write(`part ${i}\n`);
    if (event.rawPath === "/break") throw new Error("broken on purpose");
    if (event.rawPath === "/large") answer.write("x".repeat(8 << 20));
    answer.end();
  });
}
