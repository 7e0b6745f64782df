// What `--data` may name: files, folders, globs, or the synthetic atmosphere. One function, so that every verb understands the same.

import type { Source } from "../sources/source.js";

/** Opens the data of a command line. The caller closes the source. @throws DataError, FormatError, ConfigError */
export async function openData(specs: readonly string[]): Promise<Source> {
  const { openSource } = await import("../sources/open.js");
  return openSource(specs);
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
