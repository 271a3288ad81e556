// Writes to the daemon's socket past the bridge: an answer longer than it has credit for.
import fs from "node:fs";

const window = 256 << 10;

/** A whole answer to one invocation: the frame of docs/wire.md. */
function answer(stream) {
  const frame = Buffer.alloc(16 + 4 + window + 1, "x");
  frame.writeUInt32LE(frame.length - 16, 0);
  frame.set([7, 3, 1, 0], 4);  // response; the end, and done
  frame.writeUInt32LE(stream, 8);
  frame.writeUInt32LE(200, 12);
  frame.writeUInt32LE(0, 16);
  return frame;
}

function write(descriptor, bytes) {
  for (let sent = 0; sent < bytes.length;) {
    try {
      sent += fs.writeSync(descriptor, bytes, sent);
    } catch (error) {
      if (error.code !== "EAGAIN") return;
    }
  }
}

function isSocket(descriptor) {
  try {
    return fs.fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}

export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/bad") return new Response("fine");
    // It does not know its stream's number. Those that are not open are not heard.
    for (let descriptor = 3; descriptor < 64; ++descriptor)
      if (isSocket(descriptor)) for (let i = 1; i < 8; ++i) write(descriptor, answer(i << 10));
    await new Promise(() => {});
  },
};
