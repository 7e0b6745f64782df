// What the cache remembers of one file of one package: a small JSON file. Written atomically; anything in it that does not fit means "not
// cached". Not here: where these files lie (model-cache.ts).

import { readFileSync } from "node:fs";
import { z } from "zod";
import { atomicWrite } from "../../core/files.js";
import { isInside } from "../../io/remote/object-path.js";

/** Where the file lies follows from it: an entry from elsewhere must not lead out of the cache. */
const pathInside = z.string().refine(isInside);

const present = z.object({
  version: z.literal(1),
  /** Identity of the package: its address with the revision, without secrets. */
  package: z.string(),
  path: pathInside,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().nonnegative(),
  /** Of the cached file, when its hash was last computed. */
  mtimeMs: z.number(),
  etag: z.string().optional(),
  lastModified: z.string().optional(),
  /** Epoch seconds: when it came, and when the server was last asked whether it is still this one. */
  fetched: z.number(),
  checked: z.number(),
});

const absent = z.object({
  version: z.literal(1),
  package: z.string(),
  path: pathInside,
  missing: z.literal(true),
  /** The server did not say "no such file" but "not for you"; buckets that may not be listed say that of missing files. */
  refused: z.boolean().optional(),
  checked: z.number(),
});

/** A file that is in the cache. */
export type CacheEntry = z.infer<typeof present>;

/** A file of which the server said that there is none. */
export type MissingEntry = z.infer<typeof absent>;

/** Reads an entry; undefined when there is none, or none that can be used. At once: a warm `resolve` must not queue behind other work. */
export function readEntry(file: string): CacheEntry | MissingEntry | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return present.safeParse(value).data ?? absent.safeParse(value).data;
  } catch {
    return undefined;
  }
}

/** True for a file that is there. */
export function isPresent(entry: CacheEntry | MissingEntry | undefined): entry is CacheEntry {
  return entry !== undefined && !("missing" in entry);
}

/** @throws StorageError */
export async function writeEntry(file: string, entry: CacheEntry | MissingEntry): Promise<void> {
  await atomicWrite(file, `${JSON.stringify(entry)}\n`);
}
