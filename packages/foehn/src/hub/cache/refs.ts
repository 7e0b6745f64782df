// Which commit a branch or tag of a repository was at: asked once a day or on refresh, and the newest known one when nobody can be reached.
// A file per address in `refs/` of the cache.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { NetworkError } from "../../core/errors.js";
import { atomicWrite } from "../../core/files.js";
import { isTransient } from "../../io/remote/http.js";
import { type ModelCache, packageKey } from "./model-cache.js";

const refSchema = z.object({ version: z.literal(1), uri: z.string(), revision: z.string(), checked: z.number() });

/**
 * The revision that an address means now.
 * @param uri the address without secrets and without a path
 * @param ask asks the server
 * @throws NetworkError when it is not known and cannot be asked
 */
export async function pinnedRevision(cache: ModelCache, uri: string, ask: () => Promise<string>): Promise<string> {
  const name = join("refs", `${packageKey(uri)}.json`);
  const file = join(cache.folder, name);
  let known = await readRef(file, uri);
  for (const root of cache.roots.slice(1)) known ??= await readRef(join(root, name), uri);
  if (known !== undefined && cache.isFresh(known.checked, uri)) return known.revision;
  if (cache.offline) {
    throw new NetworkError(`it is not known which commit ${uri} means, and Foehn is offline`, {
      where: cache.folder,
      hint: `where there is a network, run \`foehn package pull ${uri}\`; or write the commit into the address: @<40 hex digits>`,
    });
  }
  try {
    const revision = await ask();
    await atomicWrite(file, JSON.stringify({ version: 1, uri, revision, checked: Math.floor(Date.now() / 1000) }));
    cache.markAsked(uri);
    return revision;
  } catch (error) {
    if (known !== undefined && isTransient(error)) return known.revision;
    throw error;
  }
}

async function readRef(file: string, uri: string): Promise<z.infer<typeof refSchema> | undefined> {
  try {
    const ref = refSchema.parse(JSON.parse(await readFile(file, "utf8")));
    return ref.uri === uri ? ref : undefined;
  } catch {
    return undefined;
  }
}
