// Throws while it is loaded: line 3.
const settings = {};
settings.missing.deep = 1;
export default { fetch: () => new Response("never") };
