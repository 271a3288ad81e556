// An HTTP request comes as an event of API Gateway (payload 2.0); `mayfly invoke` hands its payload over as it is.
export const handler = async (event, context) => {
  const who = event.queryStringParameters?.name ?? event.name ?? "world";
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ hello: who, request: context.awsRequestId }),
  };
};
