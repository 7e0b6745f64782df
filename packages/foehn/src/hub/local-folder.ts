// Files of a package that lies on this machine: none outside of its folder, not through links either, and each as its table of files says.
// Not here: packages elsewhere (cache/).

import { readdir, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { ModelError } from "../core/errors.js";
import { sha256File } from "../core/files.js";
import type { PackageFile } from "./stores/package-store.js";

/** @returns an error that says how a package is damaged */
export function damaged(root: string, what: string, hint = "copy or download the package again"): ModelError {
  return new ModelError(`the package ${root} is damaged: ${what}`, { hint });
}

/**
 * The path of a file of a folder, checked; undefined when there is none.
 * @throws ModelError for a link that leads out, and for a file that is missing or differs though it is `listed`
 */
export async function localFile(root: string, name: string, listed?: PackageFile): Promise<string | undefined> {
  const path = join(root, name);
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined && listed) throw damaged(root, `its file ${name} is missing`);
  if (real === undefined) return undefined;
  if (!real.startsWith((await realpath(root)) + sep)) {
    throw damaged(root, `its file ${name} is a link out of the package, to ${real}`);
  }
  if (!(await stat(real)).isFile()) return undefined;
  if (listed?.sha256 === undefined) return path;
  const { sha256, size } = await sha256File(path);
  if (listed.size !== undefined && size !== listed.size) {
    throw damaged(root, `its file ${name} has ${size} bytes, metadata.json says ${listed.size}`);
  }
  if (sha256 !== listed.sha256) {
    throw damaged(
      root,
      `its file ${name} is not the one that was packaged (sha256 ${sha256}, listed ${listed.sha256})`,
    );
  }
  return path;
}

/** Every file below a folder, hidden ones left out; links to files count, links to folders do not. */
export async function localFiles(root: string): Promise<PackageFile[]> {
  const files: PackageFile[] = [];
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const full = join(entry.parentPath, entry.name);
    const path = relative(root, full).split(sep).join("/");
    if (entry.isDirectory() || path.split("/").some((part) => part.startsWith("."))) continue;
    const found = await stat(full).catch(() => undefined);
    if (found?.isFile()) files.push({ path, size: found.size });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
