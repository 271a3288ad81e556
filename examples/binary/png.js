// Draws a gradient and answers with a PNG: bytes, not text. Accepts gzip'd text at POST, too.
import { deflateSync, gunzipSync } from "node:zlib";

const crcTable = Int32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});
const crc32 = (bytes) => ~bytes.reduce((crc, byte) => crcTable[(crc ^ byte) & 255] ^ (crc >>> 8), -1) >>> 0;

function chunk(type, data) {
  const typed = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const frame = Buffer.alloc(typed.length + 8);
  frame.writeUInt32BE(data.length, 0);
  typed.copy(frame, 4);
  frame.writeUInt32BE(crc32(typed), typed.length + 4);
  return frame;
}

function png(width, height) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // 8 bits a channel, RGB
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      rows.set([(255 * x) / width, (255 * y) / height, 160], y * (1 + 3 * width) + 1 + 3 * x);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

export default {
  async fetch(request) {
    if (request.method === "POST") {
      const text = gunzipSync(Buffer.from(await request.arrayBuffer()));
      return new Response(text, { headers: { "content-type": "text/plain" } });
    }
    const size = Math.min(512, Number(new URL(request.url).searchParams.get("size") ?? 64));
    return new Response(png(size, size), {
      headers: { "content-type": "image/png", "cache-control": "public, max-age=3600" },
    });
  },
};
