// The packages under MODEL_REGISTRY: names that may be given without a path. Not here: what a name means (uri.ts).

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { localPath } from "../io/remote/file-store.js";
import { type ObjectStoreOptions, openObjectStore } from "../io/remote/object-store.js";
import { isArchiveName } from "./archive-path.js";
import { manifestName } from "./manifest-name.js";
import { schemeOf } from "./uri.js";

/**
 * Names in a registry, sorted: folders with a metadata.json, archives; of a bucket every folder.
 * @param registry folder or address; default MODEL_REGISTRY
 * @returns undefined when there is no registry, or one that cannot be listed (a web server)
 * @throws NetworkError
 */
export async function listRegistry(
  registry: string | undefined = process.env.MODEL_REGISTRY,
  options: ObjectStoreOptions = {},
): Promise<string[] | undefined> {
  if (!registry) return undefined;
  const scheme = schemeOf(registry);
  if (scheme === undefined || scheme === "file") {
    const folder = localPath(registry);
    if (!existsSync(folder)) return undefined;
    return readdirSync(folder)
      .filter((name) => isArchiveName(name) || existsSync(join(folder, name, manifestName)))
      .sort();
  }
  const store = openObjectStore(registry, options);
  if (!store.list) return undefined;
  const names: string[] = [];
  for await (const { path } of store.list("", { shallow: true })) {
    if (path.endsWith("/") || isArchiveName(path)) names.push(path.replace(/\/$/, ""));
  }
  return [...new Set(names)].sort();
}
