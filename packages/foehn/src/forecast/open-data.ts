// The data of a forecast or a score from what the user gave: an open source, files, or `synthetic:…`.

import { openSource } from "../sources/open.js";
import { regridSource, type SourceRegrid } from "../sources/regrid-source.js";
import type { Source } from "../sources/source.js";

/** An open source, or what `sources/open.ts` understands. */
export type DataSpec = Source | string | readonly string[];

/** Runs `fn` with the source, regridded where that is asked for; closes it afterwards when it was opened here. */
export async function withData<T>(
  spec: DataSpec,
  cwd: string | undefined,
  fn: (source: Source) => Promise<T>,
  regrid?: SourceRegrid,
): Promise<T> {
  if (typeof spec === "object" && "read" in spec) return fn(regrid ? await regridSource(spec, regrid) : spec);
  const source = await openSource(spec, { ...(cwd === undefined ? {} : { cwd }), regrid });
  try {
    return await fn(source);
  } finally {
    await source.close();
  }
}
