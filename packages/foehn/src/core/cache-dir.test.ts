import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cacheDir } from "./cache-dir.js";

describe("cacheDir", () => {
  const home = join("/", "home", "me");

  it.each([
    [{ FOEHN_CACHE: "/big/disk", XDG_CACHE_HOME: "/xdg" }, "linux", join("/big/disk", "meshes")],
    [{ FOEHN_CACHE: "/big/disk", FOEHN_ROOTDIR: "/root-dir" }, "linux", join("/big/disk", "meshes")],
    [{ FOEHN_ROOTDIR: "/root-dir", XDG_CACHE_HOME: "/xdg" }, "linux", join("/root-dir", "cache", "meshes")],
    [{ PY4CAST_ROOTDIR: "/scratch/py4cast" }, "linux", join("/scratch/py4cast", "cache", "meshes")],
    [{ XDG_CACHE_HOME: "/xdg" }, "linux", join("/xdg", "foehn", "meshes")],
    [{}, "linux", join(home, ".cache", "foehn", "meshes")],
    [{ FOEHN_CACHE: "" }, "linux", join(home, ".cache", "foehn", "meshes")],
    [{}, "darwin", join(home, "Library", "Caches", "foehn", "meshes")],
    [{ LOCALAPPDATA: "C:" }, "win32", join("C:", "foehn", "cache", "meshes")],
  ] as const)("%j on %s: %s", (env, platform, expected) => {
    expect(cacheDir("meshes", { env, platform, home })).toBe(expected);
  });
});
