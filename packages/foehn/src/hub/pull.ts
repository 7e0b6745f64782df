// Whole packages: brought into the cache, pinned in a lock file. Each is a loop over `Package.resolve`, so what holds
// there holds here: checked, resumable, one transfer for many processes. Not here: copies elsewhere (push.ts), the cache's upkeep (cache/maintenance.ts).

import { UsageError } from "../core/errors.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import { type Progress, silentProgress } from "../core/progress.js";
import { type LockedPackage, writeLock } from "./lock.js";
import { Package, type PackageOptions } from "./package.js";
import type { PackageFile } from "./stores/package-store.js";

/** Options of `pull`. */
export interface PullOptions extends PackageOptions {
  /** Files or folders inside the package; default all. */
  readonly files?: readonly string[] | undefined;
}

/** What `pull` brought. */
export interface PulledPackage {
  readonly uri: string;
  /** Commit or version, where the store has such. */
  readonly revision: string | undefined;
  readonly files: readonly (PackageFile & { readonly sha256: string; readonly size: number; readonly local: string })[];
}

/** Files that are brought at the same time; large ones have several connections each. */
const filesAtOnce = 3;

/**
 * Brings a package, or files of it, into the cache. What is there already is checked and not brought again.
 * @throws as `Package.resolve`; UsageError for a file that the package does not have
 */
export async function pull(source: string | Package, options: PullOptions = {}): Promise<PulledPackage> {
  const pkg = typeof source === "string" ? new Package(source, options) : source;
  const { signal, progress = silentProgress } = options;
  const wanted = await filesOf(pkg, options.files);
  const total = wanted.every(({ size }) => size !== undefined)
    ? wanted.reduce((sum, { size }) => sum + (size ?? 0), 0)
    : undefined;
  const arrived = new Map<string, number>();
  progress.start(`pulling ${pkg.name}`, total);
  const notes: Progress = { ...silentProgress, note: (line) => progress.note(line) };
  const queue = [...wanted];
  const stop = new AbortController();
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const files: PulledPackage["files"][number][] = [];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      throwIfInterrupted(signal, "the pull");
      const { path } = file;
      const onBytes = (done: number): void => {
        arrived.set(path, done);
        progress.update([...arrived.values()].reduce((sum, bytes) => sum + bytes, 0));
      };
      const local = await pkg.resolve(path, { signal: both, progress: notes, onBytes });
      const described = await pkg.describe(path);
      onBytes(described.size);
      files.push({ ...described, local });
    }
  };
  let failure: { readonly error: unknown } | undefined;
  const workers = Array.from({ length: Math.min(filesAtOnce, wanted.length) }, () =>
    worker().catch((error: unknown) => {
      failure ??= { error };
      queue.length = 0;
      stop.abort();
    }),
  );
  await Promise.all(workers);
  progress.finish(); // also before an error: it gets a line of its own
  if (failure !== undefined) throw failure.error;
  const revision = pkg.isLocal ? undefined : (await pkg.store()).revision;
  return { uri: pkg.uri, revision, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/**
 * Brings packages here and writes what they are into foehn.lock.json.
 * @returns path of the lock file
 * @throws as `pull`; UsageError for a local package, which needs no lock
 */
export async function lockPackages(uris: readonly string[], options: PullOptions = {}): Promise<string> {
  const locked: Record<string, LockedPackage> = {};
  for (const uri of uris) {
    const pkg = new Package(uri, { ...options, lock: false });
    if (pkg.isLocal) {
      throw new UsageError(`${uri} lies on this machine, so there is nothing to pin`, {
        hint: "lock files are for packages of a store: hf://, ngc://, https://, s3://",
      });
    }
    const { revision, files } = await pull(pkg, options);
    locked[pkg.uri] = {
      ...(revision === undefined ? {} : { revision }),
      files: Object.fromEntries(files.map(({ path, sha256, size }) => [path, { sha256, size }])),
    };
  }
  return writeLock(locked, options.lock === false ? undefined : options.lock);
}

async function filesOf(pkg: Package, chosen: readonly string[] | undefined): Promise<readonly PackageFile[]> {
  if (chosen === undefined || chosen.length === 0) return pkg.list();
  const all = await pkg.list().catch((error: unknown) => {
    if (error instanceof UsageError) return undefined; // cannot be listed; the names are enough
    throw error;
  });
  return chosen.flatMap((name) => {
    const path = name.replace(/\/+$/, "");
    const below = all?.filter((file) => file.path === path || file.path.startsWith(`${path}/`)) ?? [];
    return below.length > 0 ? below : [{ path }]; // `resolve` says what is near
  });
}
