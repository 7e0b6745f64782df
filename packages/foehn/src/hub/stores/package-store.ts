// Where the files of a package come from: an object store, and what is known of the files before they are read. One implementation for
// each kind of address. Not here: the cache, which asks it (cache/model-cache.ts).

import type { ExpectedFile } from "../../io/remote/download.js";
import type { ObjectStore } from "../../io/remote/object-store.js";

/** A file of a package, with what its store or manifest says about it. */
export interface PackageFile extends ExpectedFile {
  readonly path: string;
}

/** The files of a package at one revision. Paths are relative to the store, not to a folder in it. */
export interface PackageStore {
  /** Address without secrets and with the revision: what the cache knows the files by. */
  readonly id: string;
  /** Commit or version, where the address has such a thing. */
  readonly revision?: string | undefined;
  /** True when what a path holds never changes, so that nobody need ask again. */
  readonly immutable: boolean;
  readonly objects: ObjectStore;
  /** All files; undefined when the store cannot tell. @throws NetworkError */
  list(signal?: AbortSignal): Promise<readonly PackageFile[] | undefined>;
  /** What must arrive under a path, if that is known; undefined otherwise. @throws NetworkError */
  expected(path: string, signal?: AbortSignal): Promise<PackageFile | undefined>;
}
