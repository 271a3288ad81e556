// Listens while it is loaded: a fork of this template would share the socket, so it must not be forked.
import { createServer } from "node:net";

const server = createServer((socket) => socket.end("hello"));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const port = server.address().port;
export default { fetch: () => Response.json({ pid: process.pid, port }) };
