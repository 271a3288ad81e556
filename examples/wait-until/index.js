// Answers at once and goes on working: what ctx.waitUntil is given may end after the answer.
export default {
  async fetch(request, env, ctx) {
    const order = new URL(request.url).searchParams.get("order") ?? "0";
    ctx.waitUntil(
      (async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        console.log(`receipt for order ${order} is sent`);
      })(),
    );
    return new Response(`order ${order} is accepted\n`, { status: 202 });
  },
};
