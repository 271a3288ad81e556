// Calls two functions at once. Neither call leaves the daemon, and both end with this request's deadline.
export default {
  async fetch(request, env) {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    const [greeting, books] = await Promise.all([
      env.invoke("hello", `/?name=${encodeURIComponent(name)}`),
      env.invoke("json-api", "/books?since=1965"),
    ]);
    return Response.json({ greeting: (await greeting.text()).trim(), first: (await books.json())[0].title });
  },
};
