// itty-router: an AutoRouter is an object with fetch, so it is exported as it comes.
import { AutoRouter, error, withParams } from "itty-router";

const todos = new Map([["1", { id: "1", text: "water the plants" }]]);

const router = AutoRouter({ before: [withParams] });
router
  .get("/todos", () => [...todos.values()])
  .get("/todos/:id", ({ id }) => todos.get(id) ?? error(404, `no todo ${id}`))
  .post("/todos", async (request) => {
    const { text } = await request.json();
    return new Response(JSON.stringify({ id: "2", text }), { status: 201, headers: { "content-type": "application/json" } });
  });

export default router;
