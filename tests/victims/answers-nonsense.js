// Answers with something that is no Response.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    return 42;
  },
};
