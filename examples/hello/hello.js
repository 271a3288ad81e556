// The smallest function: a web-standard Request in, a Response out.
export default {
  fetch(request, env) {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    return new Response(`${env.GREETING ?? "Hello"}, ${name}!\n`);
  },
};
