// Aborts.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    process.abort();
  },
};
