// Readers of what comes from elsewhere, given damaged and hostile input: metadata.json, lock files, zip and tar. The outcome is a value or
// a Foehn error, in bounded time, and nothing lies outside of the folder.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import * as tar from "tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FoehnError } from "../core/errors.js";
import { isInside } from "../io/remote/object-path.js";
import { untar } from "./archive/untar.js";
import { unzip } from "./archive/unzip.js";
import { readLock } from "./lock.js";
import { readManifest } from "./manifest.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A small zip of two stored files, made by hand: names and sizes are where APPNOTE.TXT puts them. */
function zip(names: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const name of names) {
    const data = Buffer.from("data");
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(0xadf3f363, 10); // CRC-32 of "data"
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, rest, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(names.length, 8);
  end.writeUInt16LE(names.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listed, end]);
}

/** Bytes with some of them changed, and perhaps cut. */
const damaged = (bytes: Buffer) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.option(fc.nat(bytes.length)),
    )
    .map(([changes, cut]) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      return cut === null ? copy : copy.subarray(0, cut);
    });

async function outcome(run: () => unknown): Promise<"value" | "refused"> {
  try {
    await run();
    return "value";
  } catch (error) {
    expect(error).toBeInstanceOf(FoehnError);
    return "refused";
  }
}

describe("archives with damaged bytes", () => {
  let count = 0;
  const inside = async (bytes: Buffer, unpack: typeof unzip, suffix: string) => {
    const place = join(folder, `${suffix}-${count++}`);
    mkdirSync(place);
    const archive = join(place, `a.${suffix}`);
    writeFileSync(archive, bytes);
    const found = await outcome(() => unpack(archive, join(place, "out"), { maxBytes: 1e6, maxEntries: 100 }));
    expect(readdirSync(place).sort()).toEqual(found === "value" ? [`a.${suffix}`, "out"] : [`a.${suffix}`]);
    rmSync(place, { recursive: true });
  };

  it("zip", async () => {
    const whole = zip(["metadata.json", "a/b.bin"]);
    await inside(whole, unzip, "zip");
    await fc.assert(
      fc.asyncProperty(damaged(whole), (bytes) => inside(bytes, unzip, "zip")),
      { numRuns: 300 },
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it("zip with any names", async () => {
    const part = fc.constantFrom("..", ".", "", "a", "b", "\\", "C:", "\0", "ü", "a".repeat(300));
    const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    await fc.assert(
      fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 3 }), (names) => inside(zip(names), unzip, "zip")),
      { numRuns: 200 },
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it("tar", async () => {
    const source = mkdtempSync(join(tmpdir(), "foehn-fuzz-tar-"));
    writeFileSync(join(source, "model.pt"), Buffer.alloc(600, 1));
    await tar.create({ file: join(source, "a.tar"), cwd: source, portable: true }, ["model.pt"]);
    const whole = readFileSync(join(source, "a.tar"));
    rmSync(source, { recursive: true });
    await inside(whole, untar, "tar");
    await fc.assert(
      fc.asyncProperty(damaged(whole), (bytes) => inside(bytes, untar, "tar")),
      { numRuns: 200 },
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("files of JSON", () => {
  const hostileText = fc.constantFrom(
    "../x",
    "/etc/passwd",
    "a\\b",
    "file:///x",
    "",
    "__proto__",
    "constructor",
    "t2m",
    "721x1440",
  );
  const anything = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.jsonValue({ maxDepth: 1 }),
      hostileText,
      fc.array(tie("value"), { maxLength: 3 }),
    ),
  })).value;
  const keys = [
    "entrypoint",
    "architecture",
    "architecture_entrypoint",
    "settings",
    "grid",
    "in_channels_names",
    "in_channels",
    "channel_set",
    "time_step",
    "files",
    "weights",
    "statics",
    "normalisation",
    "forcings",
    "variables",
    "n_history",
    "__proto__",
    "strategy",
  ];
  const object = fc.dictionary(fc.constantFrom(...keys), anything, { maxKeys: 6 });
  let path: string;
  beforeAll(() => {
    mkdirSync(join(folder, "json"), { recursive: true });
    path = join(folder, "json", "x.json");
  });

  it("metadata.json is a manifest whose files stay inside, or refused", async () => {
    await fc.assert(
      fc.asyncProperty(object, fc.boolean(), async (json, addChannels) => {
        writeFileSync(path, JSON.stringify(addChannels ? { in_channels_names: ["t2m"], ...json } : json));
        await outcome(() => {
          const manifest = readManifest(path);
          for (const name of [manifest.weights, manifest.statics?.file, ...Object.keys(manifest.files ?? {})])
            if (name !== undefined) expect(isInside(name)).toBe(true);
        });
      }),
      { numRuns: 400 },
    );
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("any text is a manifest or a lock, or refused with its place", async () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom("{", '{"a":1},', '{"version":1,"packages":{"x":{"files":{"../a":1}}}}'),
    );
    await fc.assert(
      fc.asyncProperty(text, async (content) => {
        writeFileSync(path, content);
        await outcome(() => readManifest(path));
        await outcome(() => readLock(path));
      }),
      { numRuns: 300 },
    );
  });
});
