// Ends its process while it is loaded.
process.exit(9);
export default { fetch: () => new Response("never") };
