// A rejection that nobody handles.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    Promise.reject(new Error("nobody handles this"));
    await new Promise(() => {});
  },
};
