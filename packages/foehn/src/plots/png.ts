// A PNG encoder: 8-bit RGB, RGBA or palette images, one IDAT, filter 0 (palette) or Sub (true colour). Not a decoder, no interlacing.
// Format: PNG Specification, 3rd edition (W3C), sections 5, 9 and 11.
import { crc32, deflateSync } from "node:zlib";

/** Pixels row by row from the top left: 3 or 4 bytes per pixel, or 1 index per pixel with a palette of RGBA colours. */
export interface PngImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
  /** At most 256 colours, 4 bytes each (RGBA). Present: `data` holds one index per pixel. */
  readonly palette?: Uint8Array | Uint8ClampedArray;
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Encodes an image. Throws RangeError when the data do not have width × height × (1, 3 or 4) bytes. */
export function encodePng(image: PngImage): Uint8Array {
  const { width, height, data, palette } = image;
  const channels = data.length / (width * height);
  if (width < 1 || height < 1 || (palette ? channels !== 1 : channels !== 3 && channels !== 4)) {
    throw new RangeError(`PNG of ${width}×${height} pixels cannot be made from ${data.length} bytes`);
  }
  const colourType = palette ? 3 : channels === 3 ? 2 : 6;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colourType, 0, 0, 0], 8);
  const chunks = [signature, chunk("IHDR", header)];
  if (palette) chunks.push(...paletteChunks(palette));
  chunks.push(
    chunk("IDAT", deflateSync(filterRows(data, width * channels, height, palette ? 0 : channels), { level: 9 })),
  );
  chunks.push(chunk("IEND", new Uint8Array(0)));
  return new Uint8Array(Buffer.concat(chunks));
}

/** `data:` URI for an `<img>` or an SVG `<image>`. */
export function pngDataUri(png: Uint8Array): string {
  return `data:image/png;base64,${Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString("base64")}`;
}

function filterRows(data: Uint8Array | Uint8ClampedArray, rowBytes: number, height: number, sub: number): Uint8Array {
  const out = new Uint8Array((rowBytes + 1) * height);
  for (let y = 0; y < height; y++) {
    const to = y * (rowBytes + 1);
    const from = y * rowBytes;
    out[to] = sub > 0 ? 1 : 0;
    for (let x = 0; x < rowBytes; x++) {
      const left = sub > 0 && x >= sub ? data[from + x - sub]! : 0;
      out[to + 1 + x] = data[from + x]! - left;
    }
  }
  return out;
}

function paletteChunks(rgba: Uint8Array | Uint8ClampedArray): Uint8Array[] {
  const count = rgba.length / 4;
  const rgb = new Uint8Array(count * 3);
  const alpha = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    rgb.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
    alpha[i] = rgba[4 * i + 3]!;
  }
  const chunks = [chunk("PLTE", rgb)];
  if (alpha.some((a) => a < 255)) chunks.push(chunk("tRNS", alpha));
  return chunks;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}
