export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const who = url.searchParams.get("name") ?? "world";
    return Response.json({ hello: who, path: url.pathname });
  },
};
