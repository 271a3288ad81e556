import express from "express";

const app = express();
app.use(express.json());

app.get("/", (req, res) => {
  res.json({ hello: req.query.name ?? "world" });
});
app.post("/echo", (req, res) => {
  res.json({ received: req.body });
});

export default app; // instead of app.listen()
