// A package to another place: a folder or an S3 bucket. Weights go first and metadata.json last, so that
// nobody finds half a package. Not here: making one (write-package.ts) and bringing one here (package.ts).

import { NetworkError, UsageError } from "../core/errors.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import { silentProgress } from "../core/progress.js";
import { openObjectStore } from "../io/remote/object-store.js";
import { publicUrl } from "../io/remote/public-url.js";
import { manifestName } from "./manifest.js";
import { Package, type PackageOptions } from "./package.js";

/** Options of `push`. */
export interface PushOptions extends PackageOptions {
  /** Replace a package that is there. Default false. */
  readonly overwrite?: boolean | undefined;
}

/** What `push` did. */
export interface PushResult {
  /** The address without secrets. */
  readonly uri: string;
  /** Paths in the order in which they were sent. */
  readonly files: readonly string[];
  readonly bytes: number;
}

/**
 * Copies a package to another address. Every file is checked against its hash before it is sent, and looked for afterwards.
 * @param target a folder, file:/// or s3:// address
 * @throws UsageError when there is a package already, or the store cannot be written; ConfigError for a wrong metadata.json; ModelError
 * for a damaged package; NetworkError, StorageError
 */
export async function push(source: string | Package, target: string, options: PushOptions = {}): Promise<PushResult> {
  const pkg = typeof source === "string" ? new Package(source, options) : source;
  const { progress = silentProgress, signal } = options;
  const uri = publicUrl(target);
  if (/^(hf|ngc|builtin|e2mip):/i.test(target)) {
    throw new UsageError(`packages cannot be pushed to ${uri}`, {
      hint: /^hf:/i.test(target)
        ? "upload the folder with Hugging Face's own program: hf upload <org>/<repo> <folder>"
        : "give a folder or s3://bucket/path",
    });
  }
  const store = openObjectStore(target, options);
  if (store.put === undefined) {
    throw new UsageError(`nothing can be written to ${uri}`, { hint: "give a folder or s3://bucket/path" });
  }
  await pkg.metadata(); // a wrong one is not passed on
  const listed = await pkg.list();
  if (options.overwrite !== true && (await store.head(manifestName, { signal })) !== undefined) {
    throw new UsageError(`there is a package at ${uri} already`, {
      hint: "choose another address, or add --overwrite",
    });
  }
  const isLast = (path: string): number => Number(path === manifestName);
  const files = listed.map((file) => file.path).sort((a, b) => isLast(a) - isLast(b));
  let bytes = 0;
  progress.start(`pushing ${pkg.name}`, files.length);
  try {
    for (const [i, path] of files.entries()) {
      throwIfInterrupted(signal, "the push");
      const { size } = await pkg.describe(path);
      await store.put(path, { file: await pkg.resolve(path, { signal }) }, { signal });
      const arrived = (await store.head(path, { signal }))?.size;
      if (arrived !== undefined && arrived !== size) {
        throw new NetworkError(`${arrived} bytes of ${path} are there after it was sent, not ${size}`, {
          where: uri,
          hint: "something else writes there; push again",
        });
      }
      bytes += size;
      progress.update(i + 1, { file: path });
    }
  } finally {
    progress.finish();
  }
  return { uri, files, bytes };
}
