// The same answers as functions/hello.js and functions/json.js from Node's own http server. Argument: port.
const http = require("node:http");

http
  .createServer((request, response) => {
    if (request.url.startsWith("/json")) {
      const body = JSON.stringify({ message: "hello", method: request.method, items: [1, 2, 3], ok: true });
      response.writeHead(200, {
        "content-type": "application/json",
        "cache-control": "no-store",
        "content-length": Buffer.byteLength(body),
      });
      response.end(body);
    } else {
      const body = "Hello, World!\n";
      response.writeHead(200, { "content-type": "text/plain;charset=UTF-8", "content-length": body.length });
      response.end(body);
    }
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
