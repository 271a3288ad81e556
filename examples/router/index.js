// Hono, the router that is at home on every Workers-like platform, exported as it comes.
import { Hono } from "hono";
import { etag } from "hono/etag";

const app = new Hono();
app.use("/page/*", etag());
app.get("/", (c) => c.text("GET /page/:name, POST /sum"));
app.get("/page/:name", (c) => c.html(`<h1>${c.req.param("name")}</h1>`));
app.post("/sum", async (c) => {
  const numbers = await c.req.json();
  return c.json({ sum: numbers.reduce((a, b) => a + b, 0) });
});

export default app;
