// Gives a request its missing parameters, and passes it on to what it is around.
const defaults = { size: "20", order: "asc" };

export default {
  fetch(request, env) {
    const url = new URL(request.url);
    for (const [name, value] of Object.entries(defaults))
      if (!url.searchParams.has(name)) url.searchParams.set(name, value);
    return env.next(new Request(url, request));
  },
};
