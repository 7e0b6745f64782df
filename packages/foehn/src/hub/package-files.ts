// What a loader of a model needs of a package: its files, wherever they lie, brought here when they are asked for. `Package` is one; a
// loader written by a user gets one too.

import type { Manifest } from "./manifest.js";

/** The files of a package. */
export interface PackageFiles {
  /** Where it comes from. */
  readonly uri: string;
  /** What it is called when its metadata.json does not say. */
  readonly name: string;
  /** True when code in it may run: it lies on this machine, or the user vouches for it. */
  readonly trusted: boolean;
  /**
   * The path of a file on this machine, which may lead into an archive: `fcn.zip/fcn/global_means.npy`.
   * @throws ModelError when it is not there, or not what it should be
   */
  resolve(path: string): Promise<string>;
  /** True when there is such a file. */
  has(path: string): Promise<boolean>;
  /** All files. @throws UsageError where the store cannot tell */
  list(): Promise<readonly { readonly path: string; readonly size?: number | undefined }[]>;
  /** What metadata.json says. */
  metadata(): Promise<Manifest>;
}
