// Sharded stores: the checksum against known answers, the arithmetic against a plain count, files read back by zarrita and by zarr-python,
// equal contents equal files whatever the order of writing.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { pythonLacks, runPython } from "../python.test-support.js";
import { crc32c } from "./crc32c.js";
import { openZarr } from "./read.js";
import { shardSlot } from "./shard-grid.js";
import { ZarrWriter } from "./write.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-shards-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compiled = new URL("../../../dist/io/zarr/write.js", import.meta.url);

describe("crc32c", () => {
  it("gives the values of RFC 3720, appendix B.4", () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  });
});

it("finds the place of every chunk, full shards and those at the edge", () => {
  const [shape, chunk, shard] = [
    [5, 7, 4],
    [1, 2, 4],
    [2, 4, 4],
  ] as const;
  const seen = new Map<string, { slots: Set<number>; ranks: Set<number>; count: number }>();
  for (let i = 0; i < 5; i++) {
    for (let j = 0; j < 4; j++) {
      const place = shardSlot([i, j, 0], shape, chunk, shard);
      expect(place.shard).toEqual([i >> 1, j >> 1, 0]);
      expect(place.slot).toBe((i & 1) * 2 + (j & 1));
      expect(place.slots).toBe(4);
      const of = seen.get(place.shard.join()) ?? { slots: new Set(), ranks: new Set(), count: place.count };
      of.slots.add(place.slot);
      of.ranks.add(place.rank);
      expect(place.count).toBe(of.count);
      seen.set(place.shard.join(), of);
    }
  }
  expect(seen.size).toBe(6);
  for (const { slots, ranks, count } of seen.values()) {
    expect(slots.size).toBe(count);
    expect([...ranks].sort()).toEqual(Array.from({ length: count }, (_, i) => i));
  }
});

const shape = [3, 5, 4, 6];
const chunkShape = [1, 2, 4, 6];
const shardShape = [2, 4, 4, 6];
const chunk = (d: number, l: number): Float32Array =>
  Float32Array.from({ length: 48 }, (_, i) => d * 1000 + l * 100 + i);

async function write(
  path: string,
  order: readonly (readonly [number, number])[],
  compression = "none",
  Writer = ZarrWriter,
): Promise<string> {
  const writer = await Writer.create(path, { compression });
  for (const [axis, name] of ["date", "lead", "lat", "lon"].entries()) {
    const values = Float64Array.from({ length: shape[axis]! }, (_, i) => i);
    await writer.writeArray({ name, dimensions: [name], shape: [values.length], dataType: "float64" }, values);
  }
  const dimensions = ["date", "lead", "lat", "lon"];
  await writer.declare({ name: "a", dimensions, shape, chunkShape, shardShape, dataType: "float32" });
  await Promise.all(order.map(([d, l]) => writer.writeChunk("a", [d, l, 0, 0], chunk(d, l))));
  return writer.close();
}

const all = [0, 1, 2].flatMap((d) => [0, 1, 2].map((l) => [d, l] as const));
/** Lead 5 of the last chunk lies outside the array. */
const expected = (d: number, lead: number): number[] =>
  Array.from(chunk(d, lead >> 1).subarray((lead & 1) * 24, (lead & 1) * 24 + 24));

const filesOf = (path: string) => readdirSync(join(path, "a")).sort();

describe("sharded arrays", () => {
  it.each(["none", "gzip", "zstd", "blosc"])("read back with %s; equal whatever the order", async (compression) => {
    const path = await write(join(folder, `${compression}.zarr`), all, compression);
    expect(filesOf(path)).toEqual(["c.0.0.0.0", "c.0.1.0.0", "c.1.0.0.0", "c.1.1.0.0", "zarr.json"]);
    const array = (await openZarr(path)).array("a");
    for (const d of [0, 1, 2]) {
      for (let lead = 0; lead < 5; lead++) {
        expect([...(await array.read([d, lead, null, null])).data]).toEqual(expected(d, lead));
      }
    }
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(all, { minLength: all.length }), async (order) => {
        const other = await write(join(folder, `${compression}-${Math.random()}.zarr`), order, compression);
        for (const file of filesOf(path)) {
          expect(readFileSync(join(other, "a", file)).equals(readFileSync(join(path, "a", file))), file).toBe(true);
        }
      }),
      { numRuns: 3 },
    );
  });

  it.each(["none", "zstd"])("chunks that never came read as NaN (%s)", async (compression) => {
    const some = all.filter(([d, l]) => !(d === 0 && l === 1) && d !== 2);
    const path = await write(join(folder, `some-${compression}.zarr`), some, compression);
    const array = (await openZarr(path)).array("a");
    for (const d of [0, 1, 2]) {
      for (let lead = 0; lead < 5; lead++) {
        const { data } = await array.read([d, lead, null, null]);
        if (some.some(([a, l]) => a === d && l === lead >> 1)) expect([...data]).toEqual(expected(d, lead));
        else expect([...data].every(Number.isNaN)).toBe(true);
      }
    }
  });

  it("are the same files from the worker threads", async () => {
    const { ZarrWriter: Writer } = (await import(/* @vite-ignore */ compiled.href)) as {
      ZarrWriter: typeof ZarrWriter;
    };
    for (const compression of ["none", "zstd"]) {
      const here = await write(join(folder, `here-${compression}.zarr`), all, compression);
      const there = await write(join(folder, `there-${compression}.zarr`), all.toReversed(), compression, Writer);
      for (const file of filesOf(here)) {
        expect(readFileSync(join(there, "a", file)).equals(readFileSync(join(here, "a", file))), file).toBe(true);
      }
    }
  });

  it("are read by zarr-python and xarray, which check the checksum", async (context) => {
    const lacks = pythonLacks("xarray", "zarr.abc");
    if (lacks) context.skip(`${lacks}: zarr 3 reads shards`);
    for (const compression of ["none", "gzip", "zstd", "blosc"]) {
      const path = await write(join(folder, `python-${compression}.zarr`), all, compression);
      const seen = runPython(
        `
import json, sys, xarray, zarr
a = zarr.open_group(sys.argv[1], mode="r")["a"]
d = xarray.open_dataset(sys.argv[1], engine="zarr", consolidated=True)
print(json.dumps({"shards": list(a.shards), "chunks": list(a.chunks), "values": a[:].ravel().tolist(), "same": bool((d.a.values == a[:]).all())}))`,
        path,
      );
      const values = [0, 1, 2].flatMap((d) => [0, 1, 2, 3, 4].flatMap((lead) => expected(d, lead)));
      expect(seen).toEqual({ shards: shardShape, chunks: chunkShape, values, same: true });
    }
  });

  it("refuses what cannot be", async () => {
    const writer = await ZarrWriter.create(join(folder, "wrong.zarr"));
    const spec = { name: "a", dimensions: ["x"], shape: [10], chunkShape: [2], dataType: "float32" } as const;
    await expect(writer.declare({ ...spec, shardShape: [5] })).rejects.toThrow(/shards of \[5\].*chunks of \[2\]/);
    await writer.abort();
    const old = await ZarrWriter.create(join(folder, "old.zarr"), { format: 2 });
    await expect(old.declare({ ...spec, shardShape: [4] })).rejects.toThrow(/format 2 has no shards/);
    await old.abort();
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });
});
