// A real Express application, exported instead of listening on a port.
const express = require("express");

const app = express();
app.use(express.json());

app.get("/", (req, res) => {
  res.type("text").send(`Express at ${req.originalUrl}, from ${req.get("user-agent")?.split("/")[0] ?? "nobody"}\n`);
});

app.get("/fibonacci/:n", (req, res) => {
  let [a, b] = [0n, 1n];
  for (let i = 0; i < Number(req.params.n); i++) [a, b] = [b, a + b];
  res.json({ n: Number(req.params.n), value: String(a) });
});

app.post("/echo", (req, res) => res.status(201).json({ received: req.body }));

app.use((req, res) => res.status(404).json({ error: `nothing at ${req.path}` }));

module.exports = app;
