// Writes a hundred thousand lines, as fast as it can.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    for (let i = 0; i < 100_000; i++) console.log(`line ${i} of a flood that nobody wants to read`);
    return new Response("flooded");
  },
};
