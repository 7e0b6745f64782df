// Where Foehn keeps what it can make or fetch again. `FOEHN_CACHE` wins, then the root folder's `cache`; otherwise the place that the
// operating system has for such files. Nothing here makes the folder.

import { homedir } from "node:os";
import { join } from "node:path";
import { environmentFolder } from "./environment.js";

/** What decides the place; the process's own by default. */
export interface CachePlace {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly platform?: NodeJS.Platform;
  readonly home?: string;
}

/**
 * Path below the cache folder: `FOEHN_CACHE`, else `$FOEHN_ROOTDIR/cache`, else `$XDG_CACHE_HOME/foehn` or `~/.cache/foehn`, `~/Library/Caches/foehn` on macOS,
 * `%LOCALAPPDATA%\foehn\cache` on Windows.
 */
export function cacheDir(part: string, place: CachePlace = {}): string {
  const { env = process.env, platform = process.platform, home = homedir() } = place;
  const own = environmentFolder("FOEHN_CACHE", env);
  if (own !== undefined) return join(own, part);
  const root = environmentFolder("FOEHN_ROOTDIR", env);
  if (root !== undefined) return join(root, "cache", part);
  if (platform === "darwin") return join(home, "Library", "Caches", "foehn", part);
  if (platform === "win32") return join(env.LOCALAPPDATA || join(home, "AppData", "Local"), "foehn", "cache", part);
  return join(env.XDG_CACHE_HOME || join(home, ".cache"), "foehn", part);
}
