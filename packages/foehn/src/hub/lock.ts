// foehn.lock.json: which revision and which contents each package had, so that another machine, or the same one a year later, gets the
// same or an error. `{ "version": 1, "packages": { "<address>": { "revision": …, "files": { "<path>": { sha256, size } } } } }`.
// Not here: making one (pull.ts).

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { atomicWrite } from "../core/files.js";

/** Name of the file that is looked for in the working directory. */
export const lockFileName = "foehn.lock.json";

const lockedFile = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
});

const lockedPackage = z.strictObject({
  revision: z.string().optional().describe("commit or version"),
  files: z.record(z.string(), lockedFile).describe("by path inside the package"),
});

const lockSchema = z.strictObject({
  version: z.literal(1),
  packages: z.record(z.string(), lockedPackage),
});

/** Contents of a lock file. */
export type PackageLock = z.infer<typeof lockSchema>;

/** What it says of one package. */
export type LockedPackage = z.infer<typeof lockedPackage>;

/**
 * Reads a lock file.
 * @param path default: `foehn.lock.json` in the working directory, if there is one
 * @throws ConfigError for a file that is wrong, or is not there though it was named
 */
export function readLock(path?: string): PackageLock | undefined {
  const file = resolve(path ?? lockFileName);
  if (path === undefined && !existsSync(file)) return undefined;
  return loadConfig(file, lockSchema);
}

/** Writes packages into a lock file, beside those that are in it. @throws StorageError; ConfigError when the file is wrong */
export async function writeLock(packages: Readonly<Record<string, LockedPackage>>, path?: string): Promise<string> {
  const file = resolve(path ?? lockFileName);
  const old = existsSync(file) ? loadConfig(file, lockSchema).packages : {};
  const sorted = Object.fromEntries(
    Object.entries({ ...old, ...packages })
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([uri, { files, ...rest }]) => [
        uri,
        { ...rest, files: Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) },
      ]),
  );
  const text = `${JSON.stringify({ version: 1, packages: sorted }, null, 2)}\n`;
  if (existsSync(file) && readFileSync(file, "utf8") === text) return file;
  await atomicWrite(file, text);
  return file;
}
