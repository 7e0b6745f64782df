import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildHeader,
  MAX_HEADER_SIZE,
  parseHeader,
  parseHeaderSize,
  SAFETENSORS_ITEM_SIZE,
} from "./safetensors-header.js";

const encode = (text: string) => new TextEncoder().encode(text);
const entry = (offsets: number[], shape = [1], dtype = "F32") => ({ dtype, shape, data_offsets: offsets });
const parse = (json: unknown, dataSize: number) => parseHeader(encode(JSON.stringify(json)), dataSize, "f");

const layout = fc.record({
  name: fc.string({ minLength: 1, unit: "grapheme" }).filter((name) => name !== "__metadata__"),
  dtype: fc.constantFrom(...(Object.keys(SAFETENSORS_ITEM_SIZE) as (keyof typeof SAFETENSORS_ITEM_SIZE)[])),
  shape: fc.array(fc.nat(5), { maxLength: 4 }),
});

describe("safetensors header", () => {
  it("reads back what it builds, aligned, for any names, types and shapes", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(layout, { selector: ({ name }) => name }),
        fc.dictionary(fc.string(), fc.string()),
        (layouts, metadata) => {
          const { bytes, order } = buildHeader(layouts, metadata);
          expect(bytes.byteLength % 8).toBe(0);
          expect(parseHeaderSize(bytes, bytes.byteLength, "f")).toBe(bytes.byteLength - 8);
          const dataSize = order.reduce(
            (n, t) => n + t.shape.reduce((a, b) => a * b, SAFETENSORS_ITEM_SIZE[t.dtype]),
            0,
          );
          const header = parseHeader(bytes.subarray(8), dataSize, "f");
          expect({ ...header.metadata }).toEqual({ ...metadata });
          expect(header.tensors.size).toBe(layouts.length);
          for (const { name, dtype, shape } of layouts) {
            const found = header.tensors.get(name);
            expect(found).toMatchObject({ dtype, shape });
            expect(found!.begin % SAFETENSORS_ITEM_SIZE[dtype]).toBe(0);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it("never throws anything but a TensorFileError on garbage", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.json(), fc.nat(1000), (noise, json, size) => {
        for (const bytes of [noise, encode(json), encode(`{"a":${json}}`)]) {
          try {
            parseHeader(bytes, size, "f");
          } catch (error) {
            expect((error as Error).name).toBe("TensorFileError");
          }
        }
      }),
    );
  });

  it.each([
    ["overlap", { a: entry([0, 4]), b: entry([2, 6]) }, 6, /"b" starts at byte 2, inside/],
    ["gap", { a: entry([0, 4]), b: entry([8, 12]) }, 12, /bytes 4 to 8 before tensor "b"/],
    ["gap at the start", { a: entry([4, 8]) }, 8, /bytes 0 to 4/],
    ["data missing", { a: entry([0, 4]) }, 3, /should have 4 bytes and has 3/],
    ["data left over", { a: entry([0, 4]) }, 5, /1 bytes after the last/],
    ["wrong span", { a: entry([0, 8]) }, 8, /needs 4 bytes; its offsets span 8/],
    ["offsets reversed", { a: entry([4, 0]) }, 4, /data_offsets \[4,0\]/],
    ["negative size", { a: entry([0, 4], [-1, -1]) }, 4, /shape \[-1,-1\]/],
    ["fractional size", { a: entry([0, 4], [0.5]) }, 4, /shape/],
    ["overflowing size", { a: entry([0, 4], [2 ** 40, 2 ** 40]) }, 4, /needs/],
    ["unknown type", { a: entry([0, 4], [1], "F8_E4M3") }, 4, /F8_E4M3.*readable are BOOL/],
    ["type from the prototype", { a: entry([0, 4], [1], "toString") }, 4, /toString/],
    ["null entry", { a: null }, 0, /dtype undefined/],
    ["metadata number", { __metadata__: { a: 1 } }, 0, /only text is allowed/],
    ["metadata list", { __metadata__: [] }, 0, /not an object/],
  ])("refuses %s", (_, json, size, message) => {
    expect(() => parse(json, size)).toThrow(message);
  });

  it("refuses duplicate names, however they are escaped", () => {
    const one = JSON.stringify(entry([0, 0], [0]));
    expect(() => parseHeader(encode(`{"a":${one},"\\u0061":${one}}`), 0, "f")).toThrow(/names "a" twice/);
    expect(() =>
      parseHeader(encode(`{"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}`), 0, "f"),
    ).toThrow(/"dtype" twice/);
    expect(parseHeader(encode(`{"a":${one},"b\\\\\\"":${one}}`), 0, "f").tensors.size).toBe(2);
  });

  it("refuses a length that cannot be", () => {
    const size = (n: bigint) => new Uint8Array(new BigUint64Array([n]).buffer);
    expect(() => parseHeaderSize(size(BigInt(MAX_HEADER_SIZE) + 1n), 2 ** 40, "f")).toThrow(/over the limit/);
    expect(() => parseHeaderSize(size(100n), 50, "f")).toThrow(/does not fit in a file of 50 bytes/);
    expect(parseHeaderSize(size(42n), 50, "f")).toBe(42);
  });

  it("refuses text that is not an object, and bytes that are not UTF-8", () => {
    for (const text of ["", " {}", "[]", "{", '{"a":1}x']) {
      expect(() => parseHeader(encode(text), 0, "f")).toThrow(/header|dtype/);
    }
    expect(() => parseHeader(new Uint8Array([0x7b, 0xff, 0x7d]), 0, "f")).toThrow(/not JSON/);
    expect(parseHeader(encode("{}   "), 0, "f").tensors.size).toBe(0);
  });
});
