// What tells that files have changed without reading them: name, size and time of the last change of each. Statistics that are kept
// between runs depend on it.

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expandGlob, isGlob } from "../sources/glob.js";

/**
 * One line per file: `path size mtime`, sorted; for a folder (a Zarr store, npy or HDF5 folders) all the files in it, however deep.
 * Addresses and names that are no path on this machine give nothing.
 * @param paths files, folders or globs, relative to `cwd`
 */
export async function fileStamps(paths: readonly string[], cwd: string): Promise<string[]> {
  const lines: string[] = [];
  const add = async (path: string): Promise<void> => {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile()) lines.push(`${path} ${found.size} ${found.mtimeMs}`);
    if (!found?.isDirectory()) return;
    for (const entry of await readdir(path)) await add(join(path, entry));
  };
  for (const given of paths) {
    const path = resolve(cwd, given);
    for (const one of isGlob(given) ? expandGlob(path) : [path]) await add(one);
  }
  return lines.sort();
}
