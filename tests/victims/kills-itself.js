// Is killed by a signal.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => {});
  },
};
