// Fails in the middle of a streamed answer.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    const parts = ["first,", "second,"];
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (!parts.length) throw new Error("broken in the middle");
          controller.enqueue(new TextEncoder().encode(parts.shift()));
        },
      }),
    );
  },
};
