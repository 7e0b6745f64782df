// Where the model cache lies. Not here: what is in it (model-cache.ts).

import { delimiter, join, resolve } from "node:path";
import { cacheDir } from "../../core/cache-dir.js";
import { environmentFolder } from "../../core/environment.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Folder of the model cache: `FOEHN_MODEL_CACHE`, else `models` in `FOEHN_CACHE` or in the system's cache folder. */
export function modelCacheFolder(environment: Environment = process.env): string {
  return resolve(environmentFolder("FOEHN_MODEL_CACHE", environment) ?? cacheDir("models", { env: environment }));
}

/** Caches that are read and never written (`FOEHN_CACHE_READONLY`, several with the system's path separator), such as a site's. */
export function readOnlyCacheFolders(environment: Environment = process.env): string[] {
  const text = environment.FOEHN_CACHE_READONLY ?? "";
  return text
    .split(delimiter)
    .filter((part) => part !== "")
    .map((part) => resolve(part));
}

/** Folder of unpacked archives. */
export function unpackedFolder(root: string): string {
  return join(root, "unpacked");
}
