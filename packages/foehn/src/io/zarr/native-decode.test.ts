// Native decompression against the compressors of other implementations, and against chunks that are damaged or lie about their size.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import Blosc from "numcodecs/blosc";
import Zstd from "numcodecs/zstd";
import { afterAll, describe, expect, it } from "vitest";
import { nativeDecoder } from "./native-decode.js";
import { openZarr } from "./read.js";
import { ZarrWriter } from "./write.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-decode-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const values = new Uint8Array(Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i / 50)).buffer);
const blosc = Blosc.fromConfig({ id: "blosc", cname: "zstd", clevel: 5, shuffle: 1, blocksize: 0 });
const encoders = {
  gzip: async (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
  zstd: async (bytes: Uint8Array) => Zstd.fromConfig({ id: "zstd", level: 3 }).encode(bytes),
  blosc: async (bytes: Uint8Array) => blosc.encode(bytes),
};

describe.each(["gzip", "zstd", "blosc"] as const)("%s", (codec) => {
  const decode = nativeDecoder(codec)!;
  const encode = encoders[codec];

  it.skipIf(!decode)("decodes, with room to spare and without", async () => {
    const encoded = await encode(values);
    for (const limit of [values.length, values.length + 1000]) {
      expect(Buffer.from(await decode(encoded, limit)).equals(values)).toBe(true);
    }
    const shifted = new Uint8Array(encoded.length + 3);
    shifted.set(encoded, 3);
    expect(Buffer.from(await decode(shifted.subarray(3), values.length)).equals(values)).toBe(true);
  });

  it.skipIf(!decode)("decodes more chunks at once than there may be calls", async () => {
    const encoded = await encode(values);
    const all = await Promise.all(Array.from({ length: 200 }, () => decode(encoded, values.length)));
    for (const one of all) expect(Buffer.from(one).equals(values)).toBe(true);
  });

  it.skipIf(!decode)("refuses what is larger than its limit", async () => {
    await expect(decode(await encode(values), values.length - 1)).rejects.toThrow(/damaged/);
    await expect(decode(await encode(new Uint8Array(50e6)), 1000)).rejects.toThrow(/larger than the 1000 bytes/);
  });

  it.skipIf(!decode)("refuses damaged chunks, and never gives more than its limit", async () => {
    const encoded = await encode(values);
    await expect(decode(encoded.slice(0, encoded.length >> 1), values.length)).rejects.toThrow();
    await expect(decode(new Uint8Array(0), values.length)).rejects.toThrow();
    for (let at = 0; at < encoded.length; at += Math.ceil(encoded.length / 300)) {
      const damaged = encoded.slice();
      damaged[at] = damaged[at]! ^ 0xff;
      const size = await decode(damaged, values.length).then(
        (bytes) => bytes.length,
        () => 0,
      );
      expect(size).toBeLessThanOrEqual(values.length);
    }
  });

  it("is an error of the store, with its name, when a chunk is damaged", async () => {
    const path = join(folder, `${codec}.zarr`);
    const writer = await ZarrWriter.create(path, { compression: codec });
    const spec = { name: "a", dimensions: ["x"], shape: [5000], dataType: "float32" } as const;
    await writer.writeArray(spec, new Float32Array(values.buffer));
    await writer.close();
    expect((await (await openZarr(path)).array("a").read()).data).toEqual(new Float32Array(values.buffer));
    const file = join(path, "a", "c.0");
    writeFileSync(file, readFileSync(file).subarray(0, 200));
    await expect((await openZarr(path)).array("a").read()).rejects.toMatchObject({
      code: "format",
      where: `${path}/a`,
    });
  });
});

it("is an error, not zeros, when a plain chunk is short", async () => {
  const path = join(folder, "plain.zarr");
  const writer = await ZarrWriter.create(path);
  const spec = { name: "a", dimensions: ["x"], shape: [5000], dataType: "float32" } as const;
  await writer.writeArray(spec, new Float32Array(values.buffer));
  await writer.close();
  const file = join(path, "a", "c.0");
  writeFileSync(file, readFileSync(file).subarray(0, 200));
  const reading = (await openZarr(path)).array("a").read();
  await expect(reading).rejects.toThrow(/chunk 0 has 50 elements in place of 5000/);
});

it.skipIf(!nativeDecoder("zstd"))("decodes zstd frames that do not name their size, and several in a row", async () => {
  const decode = nativeDecoder("zstd")!;
  // RFC 8878: magic number, no single segment and no content size, a window of 1 KB, one last raw block of three bytes.
  const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x19, 0x00, 0x00, 7, 8, 9);
  expect([...(await decode(frame, 100))]).toEqual([7, 8, 9]);
  expect([...(await decode(Buffer.concat([frame, frame]), 100))]).toEqual([7, 8, 9, 7, 8, 9]);
  await expect(decode(frame, 2)).rejects.toThrow(/damaged/);
});

it("decodes gzip of several members", async () => {
  const two = Buffer.concat([gzipSync(values.subarray(0, 4000)), gzipSync(values.subarray(4000))]);
  expect(Buffer.from(await nativeDecoder("gzip")!(two, values.length)).equals(values)).toBe(true);
});
