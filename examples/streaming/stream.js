// Answers that are sent while they are made.
//   GET  /count?to=3   server-sent events, one each 50 ms
//   POST /upper        the request's body, in upper case, chunk by chunk
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function count(to, signal) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async start(controller) {
      for (let i = 1; i <= to && !signal.aborted; i++) {
        controller.enqueue(encoder.encode(`id: ${i}\ndata: {"count":${i}}\n\n`));
        await sleep(50);
      }
      if (!signal.aborted) controller.close();
    },
  });
}

export default {
  fetch(request) {
    const url = new URL(request.url);
    if (request.method === "POST" && url.pathname === "/upper") {
      const upper = new TransformStream({
        transform: (text, controller) => controller.enqueue(text.toUpperCase()),
      });
      const body = request.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(upper)
        .pipeThrough(new TextEncoderStream());
      return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } });
    }
    if (url.pathname === "/count") {
      const to = Number(url.searchParams.get("to") ?? 3);
      return new Response(count(to, request.signal), {
        headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
      });
    }
    return new Response("Not found\n", { status: 404 });
  },
};
