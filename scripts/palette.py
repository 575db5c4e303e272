"""Pictures of pages in 256 colours: a third of the bytes, and the eye sees no difference."""

import base64
import struct
import zlib
from pathlib import Path

from playwright.sync_api import Page

REDUCE = """async (png) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const seen = new Uint32Array(canvas.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const colour of seen) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const far = ([r, g, b], [x, y, z]) => (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2;
  const kept = [];
  const palette = [];
  for (const [colour] of [...counts].sort(([, a], [, b]) => b - a)) {
    if (palette.length === 256 || palette.some((each) => far(each, parts(colour)) < 80)) continue;
    kept.push(colour);
    palette.push(parts(colour));
  }
  const nearest = new Map(kept.map((colour, at) => [colour, at]));
  const found = Uint8Array.from(seen, (colour) => {
    if (!nearest.has(colour)) {
      const own = parts(colour);
      const closer = (best, each, at) => (far(each, own) < far(palette[best], own) ? at : best);
      nearest.set(colour, palette.reduce(closer, 0));
    }
    return nearest.get(colour);
  });
  let text = "";
  for (let at = 0; at < found.length; at += 8192) text += String.fromCharCode(...found.subarray(at, at + 8192));
  return { width, height, palette: palette.flat(), pixels: btoa(text) };
}"""
"""Takes the colours there are most of, none too near to another; the others become the nearest of them."""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write(page: Page, png: bytes, path: Path) -> int:
    """Store a picture in 256 colours (the page is one of any address, to count them in); its size in bytes."""
    found = page.evaluate(REDUCE, base64.b64encode(png).decode())
    pixels, width = base64.b64decode(found["pixels"]), found["width"]
    lines = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, found["height"], 8, 3, 0, 0, 0)
    parts = (b"IHDR", header), (b"PLTE", bytes(found["palette"])), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")
    return path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts))
