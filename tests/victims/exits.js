// Ends its process in the middle of a request.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    process.exit(7);
  },
};
