// The old API wants to be told a language and a size with every request.
export default {
  fetch(request, env) {
    const url = new URL(request.url);
    if (!url.searchParams.has("lang")) url.searchParams.set("lang", "en");
    if (!url.searchParams.has("size")) url.searchParams.set("size", "20");
    return env.next(new Request(url, request));
  },
};
