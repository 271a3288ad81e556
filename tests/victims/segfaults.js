// Dies of a segmentation fault.
export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    process.kill(process.pid, "SIGSEGV");
    await new Promise(() => {});
  },
};
