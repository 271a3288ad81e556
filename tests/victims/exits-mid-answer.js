// Ends its process in the middle of a streamed answer.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    return new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("first,"));
          setTimeout(() => process.exit(3), 50);
        },
      }),
    );
  },
};
