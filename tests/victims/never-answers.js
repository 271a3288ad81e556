// Waits for something that does not come.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    await new Promise(() => setInterval(() => {}, 1000));
  },
};
