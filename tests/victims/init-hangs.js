// Never finishes loading.
await new Promise(() => setInterval(() => {}, 1000));
export default { fetch: () => new Response("never") };
