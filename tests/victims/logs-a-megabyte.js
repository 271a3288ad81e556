// Writes one line of a megabyte.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    console.log("begin " + "x".repeat(1 << 20) + " end");
    return new Response("logged");
  },
};
