// What the old API would choke on does not come to it.
export default {
  fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (!/^\/\d{1,9}$/.test(pathname)) return Response.json({ error: "a member has a number" }, { status: 422 });
    const size = Number(searchParams.get("size"));
    if (!Number.isInteger(size) || size < 1 || size > 100) return Response.json({ error: "size is 1 to 100" }, { status: 422 });
    return env.next();
  },
};
