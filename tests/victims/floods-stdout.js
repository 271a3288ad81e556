// The same, past the console.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    const { writeSync } = await import("node:fs");
    for (let i = 0; i < 20_000; i++) {
      try {
        writeSync(1, `raw line ${i}\n`);
      } catch {
        // a full pipe may refuse, it may not block
      }
    }
    return new Response("flooded");
  },
};
