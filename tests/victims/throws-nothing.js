// Rejects with something that is no Error.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    throw undefined;
  },
};
