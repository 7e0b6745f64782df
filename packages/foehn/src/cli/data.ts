// What `--data` may name: files, folders, globs, addresses, source files, or the synthetic atmosphere. One function, so that every verb understands the same.

import type { Progress } from "../core/progress.js";
import type { Source } from "../sources/source.js";

/** What opening may tell, and what may stop it. */
export interface OpenDataOptions {
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens the data of a command line. The caller closes the source. @throws DataError, FormatError, ConfigError, NetworkError */
export async function openData(specs: readonly string[], options: OpenDataOptions = {}): Promise<Source> {
  const { openSource } = await import("../sources/open.js");
  return openSource(specs, { remote: options });
}

/** Runs `fn` with the data, or with none when nothing was named; closes them afterwards. */
export async function withOptionalData<T>(
  specs: readonly string[] | undefined,
  options: OpenDataOptions,
  fn: (source: Source | undefined) => Promise<T>,
): Promise<T> {
  if (specs === undefined) return fn(undefined);
  const source = await openData(specs, options);
  try {
    return await fn(source);
  } finally {
    await source.close();
  }
}
