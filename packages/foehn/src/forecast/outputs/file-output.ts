// Forecasts as gridded files, by the ending of the name. Not here: what each kind does (zarr-output.ts, netcdf-output.ts).

import { extname } from "node:path";
import { UsageError } from "../../core/errors.js";
import type { AxisSizes } from "./chunk-shapes.js";
import { NetcdfOutput } from "./netcdf-output.js";
import type { ForecastOutput } from "./output.js";
import { ZarrOutput } from "./zarr-output.js";

/** Options of `fileOutput`. */
export interface FileOutputOptions {
  readonly overwrite?: boolean;
  /** Zarr: none (default), gzip, zstd or blosc. NetCDF: none (default) or a deflate level 1 to 9. */
  readonly compression?: string | undefined;
  /** Zarr format; default 3. */
  readonly zarrFormat?: 2 | 3 | undefined;
  /** Zarr: sizes of chunks; default one field. See chunk-shapes.ts. */
  readonly chunks?: AxisSizes | undefined;
  /** Zarr 3: sizes of the files that hold several chunks. Default: a file for each chunk. */
  readonly shards?: AxisSizes | undefined;
  /** Keep what is finished when the work stops, and go on from what an earlier call left. Default false. */
  readonly resume?: boolean | undefined;
}

/** File endings that `fileOutput` knows. */
export const fileEndings = [".zarr", ".nc", ".nc4"] as const;

/**
 * An output file or folder by the ending of its name.
 * @throws UsageError for another ending, or options that this kind does not have
 */
export function fileOutput(path: string, options: FileOutputOptions = {}): ForecastOutput {
  const { overwrite = false, compression, zarrFormat, chunks, shards, resume } = options;
  const ending = extname(path.replace(/\/+$/, "")).toLowerCase();
  if (ending === ".zarr") {
    return new ZarrOutput(path, { overwrite, compression, format: zarrFormat, chunks, shards, resume });
  }
  if (ending === ".nc" || ending === ".nc4") {
    return new NetcdfOutput(path, { overwrite, deflate: deflateLevel(compression) });
  }
  throw new UsageError(`the output ${path} has the ending "${ending}"`, {
    hint: `end the name in ${fileEndings.slice(0, -1).join(", ")} or ${fileEndings.at(-1)}`,
  });
}

function deflateLevel(compression: string | undefined): number {
  if (compression === undefined || compression === "none") return 0;
  const level = Number(compression);
  if (Number.isInteger(level) && level >= 0 && level <= 9) return level;
  throw new UsageError(`NetCDF output cannot be compressed with "${compression}"`, {
    hint: "give a deflate level from 1 to 9, or none",
  });
}
