// Forecasts as files, by the ending of the name, and the parts of a forecast that they hold. Not here: what each kind does (zarr-output.ts,
// netcdf-output.ts, domain-netcdf.ts, grib-output.ts).

import { extname } from "node:path";
import { UsageError } from "../../core/errors.js";
import { parseDuration } from "../../core/time.js";
import { openNetcdf } from "../../io/netcdf/read.js";
import { AverageOutput } from "./average-output.js";
import type { AxisSizes } from "./chunk-shapes.js";
import { DomainNetcdfOutput, type DomainOfOutput } from "./domain-netcdf.js";
import { GribOutput } from "./grib-output.js";
import { NetcdfOutput } from "./netcdf-output.js";
import type { ForecastOutput } from "./output.js";
import { identityKey } from "./plan.js";
import { SelectOutput } from "./select-output.js";
import { StagedOutput } from "./staged-output.js";
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
  /** GRIB: bits of each value; default 16. */
  readonly gribBits?: number | undefined;
  /** Keep what is finished when the work stops, and go on from what an earlier call left. Default false. */
  readonly resume?: boolean | undefined;
  /** The variables to keep, in this order. Default: all. */
  readonly variables?: readonly string[] | undefined;
  /** Keep every n-th step; the initial condition is step 0. Default 1. */
  readonly outputFrequency?: number | undefined;
  /** Means over windows of this length in place of the steps: `7d`, `2w`. */
  readonly average?: string | undefined;
  /** Boxes and points to keep. One is the whole file; several are groups of a NetCDF file. Default: the whole grid. */
  readonly domains?: readonly DomainOfOutput[] | undefined;
}

/** File endings that `fileOutput` knows. */
export const fileEndings = [".zarr", ".nc", ".nc4", ".grib2", ".grb2"] as const;

type Kind = "Zarr" | "NetCDF" | "GRIB";

const kinds: Readonly<Record<string, Kind>> = {
  ".zarr": "Zarr",
  ".nc": "NetCDF",
  ".nc4": "NetCDF",
  ".grib2": "GRIB",
  ".grb2": "GRIB",
};

/**
 * An output file or folder by the ending of its name.
 * @throws UsageError for another ending, or options that this kind does not have
 */
export function fileOutput(path: string, options: FileOutputOptions = {}): ForecastOutput {
  const { domains = [], average, outputFrequency: every = 1, variables } = options;
  const kind = kindOf(path);
  requireOptionsOf(kind, options);
  if (average !== undefined && every !== 1) {
    throw new UsageError("give either means over time or every n-th step, not both");
  }
  const isGrouped = domains.length > 1;
  if (isGrouped && kind !== "NetCDF") {
    throw new UsageError(`several boxes or points go into one NetCDF file, as groups; ${kind} holds one`, {
      hint: "write a .nc file, or one output after the other",
    });
  }
  let output = isGrouped ? groupedFile(path, domains, options) : plainFile(path, kind, options);
  if (average !== undefined) output = new AverageOutput(output, parseDuration(average));
  const domain = isGrouped ? undefined : domains[0];
  if (domain === undefined && every === 1 && variables === undefined) return output;
  return new SelectOutput(output, { variables: domain?.variables ?? variables, every, domain });
}

/**
 * Several outputs of the same forecast. Options that only one kind of file has go to the outputs of that kind.
 * @throws UsageError as `fileOutput`, and for options that none of them has
 */
export function fileOutputs(paths: readonly string[], options: FileOutputOptions = {}): ForecastOutput[] {
  const kinds = paths.map(kindOf);
  const { chunks, shards, gribBits, compression, ...shared } = options;
  const isDeflate = compression !== undefined && /^\d+$/.test(compression);
  return paths.map((path, i) => {
    const forKind = (kind: Kind) => kinds[i] === kind || !kinds.includes(kind);
    return fileOutput(path, {
      ...shared,
      ...(forKind("Zarr") ? { chunks, shards } : {}),
      ...(forKind("GRIB") ? { gribBits } : {}),
      ...(forKind(isDeflate ? "NetCDF" : "Zarr") ? { compression } : {}),
    });
  });
}

function kindOf(path: string): Kind {
  const ending = extname(path.replace(/\/+$/, "")).toLowerCase();
  const kind = Object.hasOwn(kinds, ending) ? kinds[ending] : undefined;
  if (kind !== undefined) return kind;
  throw new UsageError(`the output ${path} has the ending "${ending}"`, {
    hint: `end the name in ${fileEndings.slice(0, -1).join(", ")} or ${fileEndings.at(-1)}`,
  });
}

function plainFile(path: string, kind: Kind, options: FileOutputOptions): ForecastOutput {
  const { overwrite = false, compression, zarrFormat: format, chunks, shards, resume = false, gribBits } = options;
  if (kind === "Zarr") return new ZarrOutput(path, { overwrite, compression, format, chunks, shards, resume });
  if (kind === "NetCDF") {
    const deflate = deflateLevel(compression);
    const inner = new NetcdfOutput(path, { overwrite, deflate });
    return resume ? staged(path, inner, { overwrite, format: { deflate }, kind }) : inner;
  }
  const inner = new GribOutput(path, { overwrite, bits: gribBits });
  return resume ? staged(path, inner, { overwrite, format: { bits: gribBits ?? 16 }, kind }) : inner;
}

function groupedFile(
  path: string,
  domains: readonly DomainOfOutput[],
  { overwrite = false, compression, resume }: FileOutputOptions,
): ForecastOutput {
  const deflate = deflateLevel(compression);
  const inner = new DomainNetcdfOutput(path, { domains, overwrite, deflate });
  return resume ? staged(path, inner, { overwrite, format: { deflate, domains }, kind: "NetCDF" }) : inner;
}

function staged(
  path: string,
  inner: ForecastOutput,
  {
    overwrite,
    format,
    kind,
  }: { readonly overwrite: boolean; readonly format: Readonly<Record<string, unknown>>; readonly kind: Kind },
): ForecastOutput {
  const isMadeFrom = async (target: string, identity: string): Promise<boolean> => {
    // A GRIB file cannot say what it was made from.
    const file = kind === "NetCDF" ? await openNetcdf(target).catch(() => undefined) : undefined;
    file?.close();
    return file?.attributes[identityKey] === identity;
  };
  return new StagedOutput(inner, { path, overwrite, format: { ...format, kind }, isMadeFrom });
}

/** Refuses what would be silently ignored. */
function requireOptionsOf(kind: Kind, options: FileOutputOptions): void {
  const foreign: readonly (readonly [given: unknown, what: string, of: Kind])[] = [
    [options.chunks, "chunks", "Zarr"],
    [options.shards, "shards", "Zarr"],
    [options.gribBits, "bits of GRIB values", "GRIB"],
  ];
  for (const [given, what, of] of foreign) {
    if (given === undefined || kind === of) continue;
    throw new UsageError(`${what} were given, which ${of} output has and ${kind} output has not`);
  }
  if (kind === "GRIB" && options.compression !== undefined && options.compression !== "none") {
    throw new UsageError(`GRIB output cannot be compressed with "${options.compression}"`, {
      hint: "leave the compression out; the bits of each value decide the size",
    });
  }
}

function deflateLevel(compression: string | undefined): number {
  if (compression === undefined || compression === "none") return 0;
  const level = Number(compression);
  if (Number.isInteger(level) && level >= 0 && level <= 9) return level;
  throw new UsageError(`NetCDF output cannot be compressed with "${compression}"`, {
    hint: "give a deflate level from 1 to 9, or none",
  });
}
