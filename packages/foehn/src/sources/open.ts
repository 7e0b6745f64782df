// Opens whatever holds fields: a file, a list of files, a folder or a glob; GRIB, NetCDF or Zarr, told apart by their first bytes and
// not by their names; or a folder of .npy fields with its description, or one in earth2mip's HDF5 layout. Not here: what is inside (grib-source.ts, netcdf-source.ts, zarr-source.ts).

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { DataError, FormatError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { expandGlob, isGlob } from "./glob.js";
import type { GribSourceOptions } from "./grib-source.js";
import { onLatLon, regridSource, type SourceRegrid } from "./regrid-source.js";
import { listShort } from "./resolve.js";
import { isOperational, isRemoteGrib } from "./schemes.js";
import { type FileKind, sniffFile } from "./sniff.js";
import type { Source } from "./source.js";

/** How to open a source. */
export interface OpenSourceOptions {
  /** Folder that relative paths start from; the working directory by default. */
  readonly cwd?: string;
  /** Ensemble member, for files that hold several. */
  readonly member?: number;
  /** Initial time (epoch seconds) of the only forecast to take, for NetCDF and Zarr that hold several. */
  readonly run?: number;
  /** Keeps only the GRIB fields for which this is true. */
  readonly select?: GribSourceOptions["select"];
  /** Regrids every field; files on other grids than latitudes and longitudes need it. */
  readonly regrid?: SourceRegrid | undefined;
}

/**
 * Opens a source.
 * @param spec a path, a folder, a glob (`data/*.grib`, `**`), a Zarr folder, or several of them, which are joined;
 * or `synthetic` (`synthetic:key=value,…`), the atmosphere that needs no file
 * @throws DataError for a path that does not exist (with the nearest names), an empty folder, a glob without a match, or a mix of
 * formats; FormatError for a file that is none of the formats, empty or damaged
 */
export async function openSource(spec: string | readonly string[], options: OpenSourceOptions = {}): Promise<Source> {
  const source = await openAsItIs(spec, options);
  // What comes on grids of other kinds has been regridded already.
  if (options.regrid === undefined || source.nativeGrid !== undefined) return source;
  try {
    return await regridSource(source, options.regrid);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openAsItIs(spec: string | readonly string[], options: OpenSourceOptions): Promise<Source> {
  const cwd = options.cwd ?? process.cwd();
  const specs = typeof spec === "string" ? [spec] : spec;
  if (specs.length === 0) throw new DataError("no data was named", { hint: "give a file, a folder or a glob" });
  if (specs.length === 1 && /^synthetic(:|$)/.test(specs[0]!)) {
    return (await import("./synthetic.js")).openSyntheticSource(specs[0]!);
  }
  if (specs.length === 1 && isOperational(specs[0]!))
    return (await import("./operational.js")).openOperational(specs[0]!, options);
  if (specs.every(isRemoteGrib)) return (await import("./remote-grib-source.js")).remoteGribSource(specs, options);
  if (specs.length === 1) {
    const { isNpyFolder, npySource } = await import("./npy-source.js");
    const folder = resolve(cwd, specs[0]!);
    if (isNpyFolder(folder)) return npySource(folder);
    const { isHdf5Layout } = await import("./hdf5-layout.js");
    if (isHdf5Layout(folder)) return (await import("./hdf5-source.js")).hdf5Source(folder);
  }
  const paths = specs.flatMap((text) => expand(text, cwd));
  const kinds = new Map<FileKind | "zarr", string[]>();
  for (const path of paths) {
    const kind = isZarr(path) ? "zarr" : kindOf(path);
    kinds.set(kind, [...(kinds.get(kind) ?? []), path]);
  }
  if (kinds.size > 1) {
    const list = [...kinds].map(([kind, files]) => `${files.length} ${kind} (${basename(files[0]!)})`).join(", ");
    throw new DataError(`the files are of several formats: ${list}`, {
      where: specs.join(", "),
      hint: "name the files of one format, for example with a glob",
    });
  }
  const [kind, files] = [...kinds][0]!;
  const member = options.member === undefined ? {} : { member: options.member };
  const chosen = options.select === undefined ? member : { ...member, select: options.select };
  const forecast = { ...member, ...(options.run === undefined ? {} : { run: options.run }), regrid: options.regrid };
  switch (kind) {
    case "grib":
      return onLatLon((await import("./grib-source.js")).nativeGribSource(files, chosen), options.regrid);
    case "netcdf":
      return (await import("./netcdf-source.js")).netcdfSource(files, forecast);
    case "zarr":
      return (await import("./zarr-source.js")).zarrSource(files, forecast);
    default:
      return kind satisfies never;
  }
}

/** The data files that one spec stands for. */
function expand(spec: string, cwd: string): string[] {
  const path = isAbsolute(spec) ? spec : resolve(cwd, spec);
  if (!existsSync(path)) {
    if (!isGlob(spec)) throw missing(spec, path);
    const found = expandGlob(path);
    if (found.length === 0) {
      throw new DataError(`nothing matches "${spec}"`, {
        where: cwd,
        hint: "check the folder and the pattern; quote it for the shell",
      });
    }
    return found;
  }
  if (!statSync(path).isDirectory() || isZarr(path)) return [path];
  const inside = readdirSync(path).sort();
  const data = inside
    .map((name) => join(path, name))
    .filter((entry) => isZarr(entry) || sniffFile(entry).kind !== undefined);
  if (data.length === 0) {
    throw new DataError(`the folder ${spec} holds no GRIB, NetCDF or Zarr`, {
      where: path,
      hint: inside.length === 0 ? "it is empty" : `it holds ${listShort(inside, 8)}`,
    });
  }
  return data;
}

function missing(spec: string, path: string): DataError {
  // The deepest folder that exists, and the first name below it that does not.
  let folder = dirname(path);
  let name = basename(path);
  while (!existsSync(folder) && dirname(folder) !== folder) {
    name = basename(folder);
    folder = dirname(folder);
  }
  const there =
    existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder).filter((n) => !n.startsWith(".")) : [];
  const near = didYouMean(name, there);
  const shown = relative(process.cwd(), folder) || ".";
  return new DataError(`there is no file or folder "${spec}"`, {
    where: shown,
    hint: near || (there.length > 0 ? `${shown} holds ${listShort(there, 8)}` : `${shown} is empty`),
  });
}

function isZarr(path: string): boolean {
  const markers = ["zarr.json", ".zgroup", ".zmetadata"];
  return (
    statSync(path).isDirectory() && (path.endsWith(".zarr") || markers.some((name) => existsSync(join(path, name))))
  );
}

function kindOf(path: string): FileKind {
  const { kind, guess } = sniffFile(path);
  if (kind) return kind;
  throw new FormatError(guess.what, { where: path, hint: guess.hint });
}
