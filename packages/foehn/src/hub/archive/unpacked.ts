// An archive of a package as a folder: unpacked once into the cache and found there afterwards. Safe under several processes: whoever
// comes second keeps the first one's folder.

import { createHash } from "node:crypto";
import { realpath, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { toStorageError } from "../../core/files.js";
import { modelCacheFolder, unpackedFolder } from "../cache/place.js";
import { untar } from "./untar.js";
import { type UnpackOptions, unzip } from "./unzip.js";

/** Options of `unpacked`. */
export interface UnpackedOptions extends UnpackOptions {
  /** Folder of unpacked archives. Default: `unpacked` in the model cache. */
  readonly cache?: string | undefined;
  /** Default: by the name, `.zip` or anything else. */
  readonly format?: "zip" | "tar";
}

/**
 * The folder with what an archive holds.
 * @param archive absolute path of a file that is not changed in place, as the cache keeps them
 * @throws FormatError when the archive is damaged or hostile; StorageError when the disk does not let us write
 */
export async function unpacked(archive: string, options: UnpackedOptions = {}): Promise<string> {
  const { cache = unpackedFolder(modelCacheFolder()), format = /\.zip$/i.test(archive) ? "zip" : "tar" } = options;
  let folder: string;
  try {
    const { size, mtimeMs } = await stat(archive);
    const identity = `${await realpath(archive)}|${size}|${mtimeMs}`;
    folder = join(cache, createHash("sha256").update(identity).digest("hex").slice(0, 32));
  } catch (error) {
    throw toStorageError(error, archive);
  }
  if (await isFolder(folder)) {
    // Its time says when it was used last: `foehn package prune` takes old ones away.
    await utimes(folder, new Date(), new Date()).catch(() => {});
    return folder;
  }
  try {
    await (format === "zip" ? unzip : untar)(archive, folder, options);
  } catch (error) {
    // Another process may have been faster.
    if (!(await isFolder(folder))) throw error;
  }
  return folder;
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true;
