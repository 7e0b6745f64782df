import { mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import * as tar from "tar";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unpacked } from "./unpacked.js";
import { untar } from "./untar.js";
import { unzip } from "./unzip.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foehn-archive-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Member {
  readonly name: string;
  readonly data?: Uint8Array;
  /** Unix mode with file type. */
  readonly mode?: number;
  /** Wrong on purpose. */
  readonly size?: number;
  readonly crc?: number;
  readonly flags?: number;
}

/** A zip as text-book writers make it, so that anything can be wrong in it. */
async function zipFile(members: readonly Member[], name = "a.zip"): Promise<string> {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const {
    name,
    data = new Uint8Array(),
    mode = 0o100644,
    size = data.length,
    crc = crc32(data),
    flags = 0,
  } of members) {
    const packed = deflateRawSync(data);
    const bytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags | 0x800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc >>> 0, 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(bytes.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, bytes, packed]);
    const central = Buffer.alloc(46);
    central.write("PK\x01\x02");
    central.writeUInt16LE((3 << 8) | 20, 4);
    common.copy(central, 6, 0, 26);
    central.writeUInt32LE((mode << 16) >>> 0, 38);
    central.writeUInt32LE(offset, 42);
    directory.push(Buffer.concat([central, bytes]));
    parts.push(local);
    offset += local.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  const path = join(folder, name);
  await writeFile(path, Buffer.concat([...parts, listed, end]));
  return path;
}

const text = (value: string) => new TextEncoder().encode(value);

/** Everything below the folder. */
const all = async () => (await readdir(folder, { recursive: true })).sort();

describe("unzip", () => {
  it("unpacks files and folders, the folder as a whole", async () => {
    const zip = await zipFile([
      { name: "fcn/", mode: 0o040755 },
      { name: "fcn/global_means.npy", data: text("means") },
      { name: "read me.txt", data: text("hello") },
    ]);
    const names = await unzip(zip, join(folder, "out"));
    expect(names).toEqual(["fcn/global_means.npy", "read me.txt"]);
    expect(await readFile(join(folder, "out/fcn/global_means.npy"), "utf8")).toBe("means");
  });

  it.each<[string, Member[], RegExp]>([
    ["a name that climbs out", [{ name: "../evil", data: text("x") }], /\.\.\/evil/],
    ["an absolute name", [{ name: "/tmp/evil", data: text("x") }], /\/tmp\/evil/],
    ["a Windows drive", [{ name: "C:evil", data: text("x") }], /C:/],
    ["backslashes that climb out", [{ name: "..\\evil", data: text("x") }], /evil/],
    ["a link", [{ name: "a", data: text("/etc"), mode: 0o120777 }], /a link or a device/],
    [
      "the same name twice",
      [
        { name: "a", data: text("x") },
        { name: "A", data: text("y") },
      ],
      /two entries called "A"/,
    ],
    ["encryption", [{ name: "a", data: text("x"), flags: 1 }], /encrypted/],
    ["a wrong size", [{ name: "a", data: text("xyz"), size: 2 }], /bytes/],
    ["a wrong checksum", [{ name: "a", data: text("xyz"), crc: 1 }], /another checksum/],
    ["a bomb", [{ name: "a", data: new Uint8Array(80e6) }], /more than 200 times its size/],
  ])("refuses %s and leaves nothing", async (_, members, message) => {
    const zip = await zipFile(members);
    await expect(unzip(zip, join(folder, "deep/out"))).rejects.toMatchObject({
      code: "format",
      message: expect.stringMatching(message),
    });
    expect(await all()).toEqual(["a.zip", "deep"]);
  });

  it("holds the limits", async () => {
    const zip = await zipFile([{ name: "a", data: new Uint8Array(100) }, { name: "b" }]);
    await expect(unzip(zip, join(folder, "out"), { maxBytes: 99 })).rejects.toThrow("more than 99 bytes");
    await expect(unzip(zip, join(folder, "out"), { maxEntries: 1 })).rejects.toThrow("more than 1 entries");
  });

  it("refuses what is cut short, and stops when told to", async () => {
    const zip = await zipFile([{ name: "a", data: text("x".repeat(500)) }]);
    await expect(unzip(zip, join(folder, "out"), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    await truncate(zip, 40);
    await expect(unzip(zip, join(folder, "out"))).rejects.toMatchObject({ code: "format" });
    await expect(unzip(join(folder, "none.zip"), join(folder, "out"))).rejects.toMatchObject({ code: "storage" });
  });
});

describe("untar", () => {
  it.each([false, true])("unpacks what tar wrote (gzip: %s)", async (gzip) => {
    await writeFile(join(folder, "args.json"), "{}");
    await writeFile(join(folder, "model.pt"), new Uint8Array(70_000).fill(7));
    const path = join(folder, "a.mdlus");
    await tar.create({ file: path, cwd: folder, gzip, prefix: "." }, ["args.json", "model.pt"]);
    expect(await untar(path, join(folder, "out"))).toEqual(["args.json", "model.pt"]);
    expect(await readFile(join(folder, "out/model.pt"))).toEqual(Buffer.alloc(70_000, 7));
    expect(await readFile(join(folder, "out/args.json"), "utf8")).toBe("{}");
  });

  it("refuses names that climb out, and links", async () => {
    await writeFile(join(folder, "x"), "x");
    await tar.create({ file: join(folder, "up.tar"), cwd: folder, prefix: "..", preservePaths: true }, ["x"]);
    await expect(untar(join(folder, "up.tar"), join(folder, "out"))).rejects.toThrow(/outside of its folder/);
    await symlink("x", join(folder, "link"));
    await tar.create({ file: join(folder, "link.tar"), cwd: folder }, ["x", "link"]);
    await expect(untar(join(folder, "link.tar"), join(folder, "out"))).rejects.toThrow(/a link or a device/);
    expect(await all()).toEqual(["link", "link.tar", "up.tar", "x"]);
  });

  it("refuses what is no tar, or cut short", async () => {
    await writeFile(join(folder, "no.tar"), "this is text".repeat(200));
    await expect(untar(join(folder, "no.tar"), join(folder, "out"))).rejects.toMatchObject({ code: "format" });
    await writeFile(join(folder, "x"), new Uint8Array(5000));
    await tar.create({ file: join(folder, "cut.tar"), cwd: folder }, ["x"]);
    await truncate(join(folder, "cut.tar"), 2000);
    await expect(untar(join(folder, "cut.tar"), join(folder, "out"))).rejects.toMatchObject({ code: "format" });
  });
});

describe("unpacked", () => {
  it("unpacks once, also when several ask at the same time", async () => {
    const zip = await zipFile([{ name: "a", data: text("x") }]);
    const cache = join(folder, "cache");
    const folders = await Promise.all([1, 2, 3].map(() => unpacked(zip, { cache })));
    expect(new Set(folders).size).toBe(1);
    expect(dirname(folders[0]!)).toBe(cache);
    const before = await stat(join(folders[0]!, "a"));
    expect(await unpacked(zip, { cache })).toBe(folders[0]);
    expect((await stat(join(folders[0]!, "a"))).mtimeMs).toBe(before.mtimeMs);
    expect(await readdir(cache)).toHaveLength(1);
  });
});
