import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FoehnError } from "../core/errors.js";
import { parsePackageUri } from "./uri.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-uri-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const commit = "c67a63995f6c8e0e557eb3d791f32f437e9b02d5";

describe("addresses of packages", () => {
  it("of the Hugging Face Hub name a repository, a revision and a folder", () => {
    const hf = (repo: string, revision?: string, path = "") => ({ kind: "hf", repo, revision, path });
    expect(parsePackageUri("hf://nvidia/fourcastnet1")).toEqual(hf("nvidia/fourcastnet1"));
    expect(parsePackageUri(`hf://nvidia/fourcastnet1@${commit}`)).toEqual(hf("nvidia/fourcastnet1", commit));
    expect(parsePackageUri("hf://microsoft/aurora@refs%2Fpr%2F1")).toEqual(hf("microsoft/aurora", "refs/pr/1"));
    expect(parsePackageUri("hf://NickGeneva/earth_ai/pangu/")).toEqual(hf("NickGeneva/earth_ai", undefined, "pangu"));
    expect(parsePackageUri("hf://a/b@v1.0/x%20y/z")).toEqual(hf("a/b", "v1.0", "x y/z"));
    expect(parsePackageUri("hf://datasets/a/b@main")).toEqual(hf("datasets/a/b", "main"));
  });

  it("of NGC name organisation, team, model and version", () => {
    const ngc = { kind: "ngc", org: "nvidia", team: "modulus", model: "modulus_fcn", version: "v0.2", path: "" };
    expect(parsePackageUri("ngc://models/nvidia/modulus/modulus_fcn@v0.2")).toEqual(ngc);
    expect(parsePackageUri("ngc://models/nvidia/modulus/modulus_fcn@0.2/fcn.zip/fcn")).toEqual({
      ...ngc,
      version: "0.2",
      path: "fcn.zip/fcn",
    });
    expect(parsePackageUri("ngc://models/nvidia/fcn@1")).toMatchObject({ team: undefined, model: "fcn" });
  });

  it("of web servers, buckets and folders may end in an archive", () => {
    expect(parsePackageUri("https://x.org/models/a")).toEqual({
      kind: "plain",
      base: "https://x.org/models/a",
      path: "",
    });
    expect(parsePackageUri("s3://b/m/a.zip")).toEqual({ kind: "plain", base: "s3://b/m", path: "a.zip" });
    expect(parsePackageUri("https://x.org/m/a.zip?sig=b%2Fc")).toEqual({
      kind: "plain",
      base: "https://x.org/m?sig=b%2Fc",
      path: "a.zip",
    });
    writeFileSync(join(folder, "m.tar.gz"), "");
    expect(parsePackageUri("m.tar.gz", { cwd: folder })).toEqual({ kind: "folder", folder, path: "m.tar.gz" });
    expect(parsePackageUri("fcn", { cwd: folder, registry: "s3://models/weather/" })).toEqual({
      kind: "plain",
      base: "s3://models/weather/fcn",
      path: "",
    });
  });

  it("of built-in models are those of the catalogue, also as earth2mip writes them", () => {
    expect(parsePackageUri("builtin://fcn")).toEqual(parsePackageUri(`hf://nvidia/fourcastnet1@${commit}`));
    expect(parsePackageUri("e2mip://dlwp")).toMatchObject({ kind: "ngc", model: "modulus_dlwp_cubesphere" });
    expect(parsePackageUri("builtin://persistence")).toEqual({ kind: "builtin", name: "persistence", path: "" });
    expect(() => parsePackageUri("builtin://pngu")).toThrow(/pngu/);
  });

  it.each([
    ["hf://onlyname", "the owner goes first: hf://owner/repository"],
    ["hf://a/b@%zz", "write a percent sign as %25"],
    ["hf://a/b@..%2fx", "write a branch"],
    ["ngc://models/nvidia/modulus/fcn", "the version is a part of the address"],
    ["htps://x.org/a", 'Did you mean "https"'],
    ["https:///a", "give a folder"],
    ["file://abs/path", 'did you mean "file:///abs/path"?'],
  ])("%s is refused with what to do", (text, hint) => {
    expect(() => parsePackageUri(text)).toThrow(
      expect.objectContaining({ code: "usage", hint: expect.stringContaining(hint) }),
    );
  });

  it.each([
    "https://x.org/a/../b",
    "https://x.org/a/%2e%2E/b",
    "https://x.org/a/..%2fb",
    "https://x.org/a\\..\\b",
    "https://x.org/a/%00",
    "s3://bucket/a/../../b",
    "hf://a/b/../c",
    "hf://a/b/c%2Fd",
    "hf://a/b/c%5Cd",
    "hf://a/..",
    "hf://../..",
    "ngc://models/a/../b@1",
    "ngc://models/a/b@1/../x",
    "ngc://models/a/b@../x",
    "builtin://../../etc",
    "https://x.org/a\u0000b",
  ])("%j cannot lead out", (text) => {
    expect(() => parsePackageUri(text)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  it("are an address or a Foehn error, whatever is written", () => {
    let state = 7;
    const random = (n: number): number => {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      return (state >> 8) % n;
    };
    const pieces = [
      "file:",
      "hf:",
      "ngc:",
      "s3:",
      "https:",
      "//",
      "/",
      "@",
      "..",
      "%2e",
      "%2f",
      "%",
      "models",
      "a",
      "b.zip",
      "?x=1",
      "#",
      "\0",
      "\\",
      " ",
      "ü",
      "C:",
    ];
    for (let i = 0; i < 3000; i++) {
      const text = Array.from({ length: 1 + random(9) }, () => pieces[random(pieces.length)]).join("");
      try {
        const address = parsePackageUri(text, { cwd: folder, registry: "" });
        expect(address.path.split("/"), text).not.toContain("..");
        expect(address.path, text).not.toMatch(/[\\\0]/);
      } catch (error) {
        expect(error, text).toBeInstanceOf(FoehnError);
      }
    }
  });
});
