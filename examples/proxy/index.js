// Stands in front of another server (UPSTREAM): passes the request on with fetch, adds a header and
// keeps what it must not pass on to itself.
const hopByHop = ["connection", "keep-alive", "transfer-encoding", "host", "content-length"];

export default {
  async fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    for (const name of hopByHop) headers.delete(name);
    headers.set("x-forwarded-by", "mayfly");
    const hasBody = request.method !== "GET" && request.method !== "HEAD";
    let answer;
    try {
      answer = await fetch(env.UPSTREAM + pathname + search, {
        method: request.method,
        headers,
        body: hasBody ? await request.arrayBuffer() : undefined,
        redirect: "manual",
        signal: AbortSignal.timeout(5000),
      });
    } catch (error) {
      return Response.json({ error: "the upstream does not answer", cause: error.cause?.code }, { status: 502 });
    }
    const passed = new Response(answer.body, answer);
    for (const name of [...hopByHop, "content-encoding"]) passed.headers.delete(name);
    passed.headers.set("via", "1.1 mayfly-proxy");
    return passed;
  },
};
