// Throws in the handler.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    throw new TypeError("thrown on purpose");
  },
};
