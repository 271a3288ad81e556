// An exception outside of the handler.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    setTimeout(() => {
      throw new RangeError("nobody catches this");
    }, 1);
    await new Promise(() => {});
  },
};
