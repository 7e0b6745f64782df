import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PickledGlobal, PickledObject, readPickle } from "./pickle.js";

const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/torch/pickles.json", import.meta.url), "utf8"),
) as Record<string, string>;
const bytesOf = (name: string) => new Uint8Array(Buffer.from(golden[name]!, "base64"));

describe("readPickle", () => {
  it.each(["0", "1", "2", "3", "4", "5"])("reads what Python wrote with protocol %s", (protocol) => {
    const bytes = bytesOf(protocol);
    const { value, end } = readPickle(bytes);
    const map = value as Map<unknown, unknown>;
    expect(end).toBe(bytes.byteLength);
    expect(map.get("int")).toEqual([
      ...[0, 1, -1, 255, 256, 65535, 65536, -(2 ** 31), 2 ** 31],
      ...[2n ** 53n, -(2n ** 53n) - 1n, 2n ** 100n, -(2n ** 100n)],
    ]);
    expect(map.get("float")).toEqual([0, -1.5, 1e300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
    expect(map.get("text")).toEqual(["", "Größe", "🌧", "back\\slash\nline", "x".repeat(300)]);
    expect((map.get("bytes") as Uint8Array[]).map((b) => [...b])).toEqual([[], [0, 255], [97, 98]]);
    expect(map.get("other")).toEqual([null, true, false, [], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]);
    const [one, two] = map.get("shared") as unknown[];
    expect(one).toBe(two);
    expect(map.get("set")).toEqual([new Set([1, 2]), new Set([3])]);
    expect([...(map.get("ordered") as Map<string, number>)]).toEqual([
      ["b", 1],
      ["a", 2],
    ]);
    expect([...map.keys()].at(-1)).toEqual(["tuple", "key"]);
  });

  it("reads a list that contains itself", () => {
    const list = readPickle(bytesOf("cycle")).value as unknown[];
    expect(list[0]).toBe(list);
  });

  it("does not run what a hostile pickle asks for", () => {
    const value = readPickle(bytesOf("system")).value as PickledObject;
    expect(value).toBeInstanceOf(PickledObject);
    expect(value.className).toBe("os.system");
    expect(value.args).toEqual(["echo unsafe"]);
    // nor what names of JavaScript would do
    const named = readPickle(Buffer.from("c__proto__\nconstructor\n)R.")).value as PickledObject;
    expect(named.className).toBe("__proto__.constructor");
    expect(readPickle(Buffer.from("cos\nsystem\n.")).value).toBeInstanceOf(PickledGlobal);
  });

  it("fails with an Error, and soon, on any garbage or truncation", () => {
    const whole = bytesOf("4");
    for (let length = 0; length < whole.byteLength; length += 7) {
      expect(() => readPickle(whole.subarray(0, length))).toThrow(/not a readable pickle/);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        try {
          readPickle(noise);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
