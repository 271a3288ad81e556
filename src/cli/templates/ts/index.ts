interface Greeting {
  hello: string;
  path: string;
}

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const greeting: Greeting = { hello: url.searchParams.get("name") ?? "world", path: url.pathname };
    return Response.json(greeting);
  },
};
