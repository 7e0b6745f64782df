// For tests only: compares a figure's SVG with a checked-in file. Embedded PNGs are replaced by the hash of their pixels, because the
// compressed bytes differ between versions of zlib. FOEHN_UPDATE_GOLDEN=1 writes the files anew; look at them before committing.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { expect } from "vitest";

const folder = fileURLToPath(new URL("../../../../test/golden/plots/", import.meta.url));

/** Asserts that a figure is the one in test/golden/plots/<name>.svg. */
export function expectGolden(name: string, svg: string): void {
  const path = `${folder}${name}.svg`;
  const normal = normalise(svg);
  expect(normal.length).toBeLessThan(100_000);
  if (process.env.FOEHN_UPDATE_GOLDEN) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, normal);
    return;
  }
  expect(existsSync(path), `${path} is missing: run with FOEHN_UPDATE_GOLDEN=1 and look at it`).toBe(true);
  expect(normal).toBe(readFileSync(path, "utf8"));
}

/** One element per line, numbers in attributes to two decimals, pictures by their pixels. */
function normalise(svg: string): string {
  return `${svg
    .replace(
      /data:image\/png;base64,([A-Za-z0-9+/=]+)/g,
      (_, base64: string) => `png:${pixelHash(Buffer.from(base64, "base64"))}`,
    )
    .replace(/="[^"]*"/g, (value) => value.replace(/-?\d+\.\d+/g, (n) => String(Number(Number(n).toFixed(2)))))
    .replaceAll("><", ">\n<")}\n`;
}

function pixelHash(png: Buffer): string {
  const { width, height, palette, pixels } = decodePng(png);
  const hash = createHash("sha256").update(palette).update(pixels).digest("hex").slice(0, 16);
  return `${width}x${height}:${hash}`;
}

/** Decodes what `encodePng` writes: 8 bits, filters None and Sub. Pixels are indices, RGB or RGBA. */
export function decodePng(png: Uint8Array) {
  const bytes = Buffer.from(png);
  let at = 8;
  const chunks = new Map<string, Buffer>();
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    const data = bytes.subarray(at + 8, at + 8 + length);
    chunks.set(type, Buffer.concat([chunks.get(type) ?? Buffer.alloc(0), data]));
    at += 12 + length;
  }
  const header = chunks.get("IHDR")!;
  const [width, height, colourType] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9]!];
  const channels = colourType === 3 ? 1 : colourType === 2 ? 3 : 4;
  const rows = inflateSync(chunks.get("IDAT")!);
  const pixels = new Uint8Array(width * height * channels);
  const rowBytes = width * channels;
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (rowBytes + 1)]!;
    if (filter > 1) throw new Error(`filter ${filter}`);
    for (let x = 0; x < rowBytes; x++) {
      const left = filter === 1 && x >= channels ? pixels[y * rowBytes + x - channels]! : 0;
      pixels[y * rowBytes + x] = rows[y * (rowBytes + 1) + 1 + x]! + left;
    }
  }
  return {
    width,
    height,
    channels,
    palette: chunks.get("PLTE") ?? Buffer.alloc(0),
    alpha: chunks.get("tRNS") ?? Buffer.alloc(0),
    pixels,
    types: [...chunks.keys()],
  };
}
