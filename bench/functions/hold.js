// Answers only after a while, so that a thousand requests at once need a thousand instances.
let name;
export default {
  async fetch(request) {
    name ??= crypto.randomUUID();
    const wait = Number(new URL(request.url).searchParams.get("ms") ?? 0);
    await new Promise((resolve) => setTimeout(resolve, wait));
    return new Response(name);
  },
};
