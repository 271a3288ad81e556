// The handler form of AWS Lambda. An HTTP request arrives as an event of API Gateway's payload
// format 2.0; any other payload (mayfly invoke) arrives as it is.
export const handler = async (event, context) => {
  if (!event.requestContext?.http) {
    return { greeting: `Hello, ${event.name ?? "event"}`, function: context.functionName };
  }
  const { method, path } = event.requestContext.http;
  if (method === "POST") {
    const text = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
    const words = text.split(/\s+/).filter(Boolean);
    return { words: words.length, longest: words.sort((a, b) => b.length - a.length)[0] ?? null };
  }
  return {
    statusCode: 200,
    headers: { "content-type": "text/plain; charset=utf-8", "x-request-id": context.awsRequestId },
    cookies: ["seen=yes; Path=/"],
    body: `${method} ${path} ${event.rawQueryString}\n`,
  };
};
