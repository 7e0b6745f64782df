// What `--data` may name: files, folders, globs, addresses, source files, or the synthetic atmosphere. One function, so that every verb understands the same.

import type { Progress } from "../core/progress.js";
import type { Source } from "../sources/source.js";

/** Opens the data of a command line. The caller closes the source. @throws DataError, FormatError, ConfigError, NetworkError */
export async function openData(specs: readonly string[], progress?: Progress): Promise<Source> {
  const { openSource } = await import("../sources/open.js");
  return openSource(specs, { remote: { progress } });
}

/** Runs `fn` with the data, or with none when nothing was named; closes them afterwards. */
export async function withOptionalData<T>(
  specs: readonly string[] | undefined,
  fn: (source: Source | undefined) => Promise<T>,
): Promise<T> {
  if (specs === undefined) return fn(undefined);
  const source = await openData(specs);
  try {
    return await fn(source);
  } finally {
    await source.close();
  }
}
