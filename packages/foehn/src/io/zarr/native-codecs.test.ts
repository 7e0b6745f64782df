// The system's libraries against other implementations of the same formats: Node's gunzip, and WebAssembly for zstd and blosc.

import { gunzipSync } from "node:zlib";
import Blosc from "numcodecs/blosc";
import Zstd from "numcodecs/zstd";
import { describe, expect, it } from "vitest";
import { nativeBlosc, nativeGzip, nativeZstd } from "./native-codecs.js";
import { returnBuffer, takeBuffer } from "./output-buffers.js";

const wave = new Uint8Array(Float32Array.from({ length: 50_000 }, (_, i) => Math.sin(i / 50) + i / 1e5).buffer);
const noise = Uint8Array.from({ length: 10_001 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 255);
/** Also one that begins in the middle of a buffer, and what cannot be compressed. */
const inputs = { wave, noise, part: wave.subarray(400, 1604), byte: Uint8Array.of(7) };

const codecs = {
  gzip: { encode: nativeGzip(1), decode: async (bytes: Uint8Array) => gunzipSync(bytes) },
  zstd: { encode: nativeZstd(1), decode: async (bytes: Uint8Array) => Zstd.fromConfig({ id: "zstd" }).decode(bytes) },
  blosc: {
    encode: nativeBlosc(5, 4),
    decode: async (bytes: Uint8Array) =>
      Blosc.fromConfig({ id: "blosc", cname: "lz4", clevel: 5, shuffle: 1, blocksize: 0 }).decode(bytes),
  },
};

describe.each(Object.entries(codecs))("%s", (_name, { encode, decode }) => {
  it.skipIf(!encode).each(Object.entries(inputs))("reads back: %s", async (_input, bytes) => {
    expect(Buffer.from(await decode(encode!(bytes))).equals(bytes)).toBe(true);
  });

  it.skipIf(!encode)("gives every result memory of its own until that is given back", async () => {
    const results = [wave, noise, wave].map((bytes) => encode!(bytes));
    expect(new Set(results.map((result) => result.buffer)).size).toBe(3);
    expect(Buffer.from(await decode(results[0]!)).equals(wave)).toBe(true);
    expect(Buffer.from(await decode(results[1]!)).equals(noise)).toBe(true);
    returnBuffer(results[0]!);
    expect(encode!(wave).buffer).toBe(results[0]!.buffer);
  });
});

describe("output buffers", () => {
  it("are lent once, and only those that came from here are taken back", () => {
    const first = takeBuffer(1 << 20);
    returnBuffer(first.subarray(3, 9));
    returnBuffer(first);
    const strange = new Uint8Array(1 << 20);
    returnBuffer(strange);
    const again = [takeBuffer(1 << 20), takeBuffer(1 << 20)];
    expect(again[0]!.buffer).toBe(first.buffer);
    expect([first.buffer, strange.buffer]).not.toContain(again[1]!.buffer);
  });

  it("are large enough", () => {
    returnBuffer(takeBuffer(10));
    expect(takeBuffer(11).length).toBeGreaterThanOrEqual(11);
  });
});
