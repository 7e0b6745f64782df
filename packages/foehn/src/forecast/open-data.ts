// The data of a forecast or a score from what the user gave: an open source, files, or `synthetic:…`.

import { UsageError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import { openSource } from "../sources/open.js";
import { regridSource, type SourceRegrid } from "../sources/regrid-source.js";
import type { Source } from "../sources/source.js";

/** An open source, or what `sources/open.ts` understands. */
export type DataSpec = Source | string | readonly string[];

/** Which part of the data to take, where they hold several: ensemble members, or forecasts that reach the same times. */
export interface DataChoice {
  /** As the data count their members. */
  readonly dataMember?: number | undefined;
  /** Initial time of the forecast, epoch seconds. */
  readonly dataRun?: number | undefined;
}

/** Options of `withData`. */
export interface DataOptions extends DataChoice {
  readonly cwd?: string | undefined;
  readonly regrid?: SourceRegrid | undefined;
  /** Told of files that are fetched. */
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `fn` with the source, regridded where that is asked for; closes it afterwards when it was opened here.
 * @throws as `openSource`; UsageError for a choice among the members or runs of a source that is open already
 */
export async function withData<T>(
  spec: DataSpec,
  { cwd, regrid, progress, signal, dataMember: member, dataRun: run }: DataOptions,
  fn: (source: Source) => Promise<T>,
): Promise<T> {
  if (typeof spec === "object" && "read" in spec) {
    if (member !== undefined || run !== undefined) {
      throw new UsageError("dataMember and dataRun are for data that are opened here", {
        hint: "give them to openSource, as member and run",
      });
    }
    return fn(regrid ? await regridSource(spec, regrid) : spec);
  }
  const source = await openSource(spec, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(member === undefined ? {} : { member }),
    ...(run === undefined ? {} : { run }),
    regrid,
    remote: { progress, signal },
  });
  try {
    return await fn(source);
  } finally {
    await source.close();
  }
}
