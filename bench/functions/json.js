// The Response is built anew for every request: JSON and two headers.
export default {
  fetch(request) {
    const body = JSON.stringify({ message: "hello", method: request.method, items: [1, 2, 3], ok: true });
    return new Response(body, { headers: { "content-type": "application/json", "cache-control": "no-store" } });
  },
};
