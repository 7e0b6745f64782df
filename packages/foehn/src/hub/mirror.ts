// A mirror: a folder laid out as the model cache is, filled with whole packages, for machines without a network. There it is named in
// FOEHN_CACHE_READONLY, and the same addresses work. Not here: copies under another address (push.ts).

import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { UsageError } from "../core/errors.js";
import { toStorageError } from "../core/files.js";
import { Package, type PackageOptions } from "./package.js";
import { pull } from "./pull.js";

/** What `mirror` filled. */
export interface MirrorResult {
  /** Absolute path of the folder. */
  readonly path: string;
  readonly packages: readonly { readonly uri: string; readonly files: number; readonly bytes: number }[];
}

/**
 * Brings packages into a folder of their own, whole.
 * @throws as `pull`; UsageError for a package on this machine, which needs no mirror
 */
export async function mirror(
  uris: readonly string[],
  folder: string,
  options: Omit<PackageOptions, "cache"> = {},
): Promise<MirrorResult> {
  const path = resolve(folder);
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw toStorageError(error, path);
  });
  const packages: MirrorResult["packages"][number][] = [];
  for (const uri of uris) {
    const pkg = new Package(uri, { ...options, cache: { folder: path, readOnly: [] } });
    if (pkg.isLocal) {
      throw new UsageError(`${uri} lies on this machine already`, { hint: "copy the folder, or `foehn package push`" });
    }
    const { files } = await pull(pkg, options);
    packages.push({ uri, files: files.length, bytes: files.reduce((sum, file) => sum + file.size, 0) });
  }
  return { path, packages };
}
