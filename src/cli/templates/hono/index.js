import { Hono } from "hono";

const app = new Hono();
app.get("/", (c) => c.json({ hello: c.req.query("name") ?? "world" }));
app.post("/echo", async (c) => c.json({ received: await c.req.json() }));

export default app;
