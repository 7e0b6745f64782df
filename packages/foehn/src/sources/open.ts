// Opens whatever holds fields: a file, a list of files, a folder, a glob, or an address; GRIB, NetCDF or Zarr, told apart by their first
// bytes and not by their names; a folder of .npy fields, or one in earth2mip's HDF5 layout; or a source file, which joins several of
// these. Not here: what is inside (grib-source.ts, netcdf-source.ts, zarr-source.ts, …) and what an address stands for (remote.ts).

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { DataError, FormatError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { ObjectStore } from "../io/remote/object-store.js";
import { expandGlob, isGlob } from "./glob.js";
import type { GribSourceOptions } from "./grib-source.js";
import type { OperationalOptions } from "./operational.js";
import { onLatLon, regridSource, type SourceRegrid } from "./regrid-source.js";
import type { RemoteDataOptions } from "./remote.js";
import { listShort } from "./resolve.js";
import { isOperational, isRemoteGrib } from "./schemes.js";
import { type FileKind, isZarrFolder, sniffFile } from "./sniff.js";
import type { Source } from "./source.js";

/** How to open a source. */
export interface OpenSourceOptions {
  /** Folder that relative paths start from; the working directory by default. */
  readonly cwd?: string;
  /** Ensemble member, for files that hold several. */
  readonly member?: number;
  /** Initial time (epoch seconds) of the only forecast to take, for data that hold several. */
  readonly run?: number;
  /** Keeps only the GRIB fields for which this is true. */
  readonly select?: GribSourceOptions["select"];
  /** Regrids every field; files on other grids than latitudes and longitudes need it. */
  readonly regrid?: SourceRegrid | undefined;
  /** Names of the arrays of a Zarr store that is not consolidated, on a server that cannot list. */
  readonly arrays?: readonly string[];
  /** How addresses are reached, and where what is fetched is kept. */
  readonly remote?: RemoteDataOptions;
}

/** Sources that are named by a word: `word` or `word:settings`. */
const schemes: Readonly<Record<string, (spec: string, options: OpenSourceOptions) => Source | Promise<Source>>> = {
  synthetic: async (spec) => (await import("./synthetic.js")).openSyntheticSource(spec),
};

/**
 * Opens a source.
 * @param spec a path, a folder, a glob (`data/*.grib`, `**`), a Zarr folder, an address (`https://`, `s3://`, `gs://`) of a Zarr store or
 * a file, or several of them, which are joined; a source file (`.yaml`, `.toml`, `.json`: source-file.ts); or `synthetic`
 * (`synthetic:key=value,…`), the atmosphere that needs no file
 * @throws DataError for a path that does not exist (with the nearest names), an empty folder, a glob without a match, or a mix of
 * formats; FormatError for a file that is none of the formats, empty or damaged; NetworkError; ConfigError for a source file
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
  if (specs.every(isRemoteGrib)) {
    return (await import("./remote-grib-source.js")).remoteGribSource(specs, {
      ...(await archiveOptions(options)),
      regrid: options.regrid,
    });
  }
  const found: Data[] = [];
  for (const text of specs) {
    const open = isRemote(text) ? undefined : await loner(text, cwd);
    if (open && specs.length === 1) return open(options);
    if (open) {
      throw new DataError(`${text} stands alone and cannot be joined with other data by naming both`, {
        hint: "join them with `combine` in a source file",
      });
    }
    if (isRemote(text)) found.push(await (await import("./remote.js")).openRemote(text, options.remote));
    else
      found.push(
        ...expand(text, cwd).map((path): Data => ({ kind: isZarrFolder(path) ? "zarr" : kindOf(path), path })),
      );
  }
  const kinds = new Map<Data["kind"], (string | ObjectStore)[]>();
  for (const data of found)
    kinds.set(data.kind, [...(kinds.get(data.kind) ?? []), "store" in data ? data.store : data.path]);
  if (kinds.size > 1) {
    const name = (one: string | ObjectStore) => basename(typeof one === "string" ? one : one.description);
    const list = [...kinds].map(([kind, files]) => `${files.length} ${kind} (${name(files[0]!)})`).join(", ");
    throw new DataError(`the files are of several formats: ${list}`, {
      where: specs.join(", "),
      hint: "name the files of one format, for example with a glob; or join them with `combine` in a source file",
    });
  }
  const [kind, data] = [...kinds][0]!;
  const files = data.filter((one) => typeof one === "string");
  const { member, run, select, regrid } = options;
  const chosen = { ...(member === undefined ? {} : { member }), ...(run === undefined ? {} : { run }) };
  switch (kind) {
    case "grib":
      return onLatLon(
        (await import("./grib-source.js")).nativeGribSource(
          files,
          select === undefined ? chosen : { ...chosen, select },
        ),
        regrid,
      );
    case "netcdf":
      return (await import("./netcdf-source.js")).netcdfSource(files, { ...chosen, regrid });
    case "zarr":
      return (await import("./zarr-source.js")).zarrSource(data, {
        ...chosen,
        regrid,
        arrays: options.arrays,
        signal: options.remote?.signal,
      });
    default:
      return kind satisfies never;
  }
}

/** Something to open: a local path, or a store elsewhere. */
type Data =
  | { readonly kind: FileKind | "zarr"; readonly path: string }
  | { readonly kind: "zarr"; readonly store: ObjectStore };

/** What stands alone: a scheme, a source file, or a folder with a description. Undefined for anything else. */
async function loner(
  spec: string,
  cwd: string,
): Promise<((options: OpenSourceOptions) => Promise<Source>) | undefined> {
  const scheme = /^([a-z][a-z0-9]*)(:|$)/.exec(spec)?.[1];
  if (scheme !== undefined && Object.hasOwn(schemes, scheme)) return async (options) => schemes[scheme]!(spec, options);
  if (isOperational(spec)) {
    return async (options) => (await import("./operational.js")).openOperational(spec, await archiveOptions(options));
  }
  const path = resolve(cwd, spec);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() && /\.(ya?ml|toml|json)$/i.test(path)) {
    return async (options) => (await import("./source-file.js")).openSourceFile(path, options);
  }
  if (!found?.isDirectory()) return undefined;
  const { isNpyFolder, npySource } = await import("./npy-source.js");
  if (isNpyFolder(path)) return () => npySource(path);
  const { isHdf5Layout } = await import("./hdf5-layout.js");
  return isHdf5Layout(path) ? async () => (await import("./hdf5-source.js")).hdf5Source(path) : undefined;
}

/** What archives of GRIB take of the options. */
async function archiveOptions(options: OpenSourceOptions): Promise<OperationalOptions> {
  const { member, run, remote = {} } = options;
  const { cache, signal, offline, progress: _, ...network } = remote;
  const { openObjectStore } = await import("../io/remote/object-store.js");
  return {
    ...(member === undefined ? {} : { member }),
    ...(run === undefined ? {} : { run }),
    cache,
    signal,
    offline,
    fetch: network.fetch,
    open: (url) => openObjectStore(url, network),
  };
}

/** True for an address that is not a local path: https://, http://, s3://, gs://. */
function isRemote(spec: string): boolean {
  return /^(https?|s3|gs):\/\//i.test(spec);
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
    // Folders on the way are not data.
    const data = found.filter((entry) => !statSync(entry).isDirectory() || isZarrFolder(entry));
    if (data.length === 0) {
      throw new DataError(
        `"${spec}" matches only folders: ${listShort(
          found.map((f) => basename(f)),
          6,
        )}`,
        {
          where: cwd,
          hint: `add a pattern for the files in them, such as "${spec.replace(/\/+$/, "")}/*.nc"`,
        },
      );
    }
    return data;
  }
  if (!statSync(path).isDirectory() || isZarrFolder(path)) return [path];
  const inside = readdirSync(path).sort();
  const data = inside
    .map((name) => join(path, name))
    .filter((entry) => isZarrFolder(entry) || sniffFile(entry).kind !== undefined);
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
  // A word alone may have been meant for the source that is no file.
  const near = didYouMean(name, spec === name ? [...there, "synthetic"] : there);
  const shown = relative(process.cwd(), folder) || ".";
  return new DataError(`there is no file or folder "${spec}"`, {
    where: shown,
    hint: near || (there.length > 0 ? `${shown} holds ${listShort(there, 8)}` : `${shown} is empty`),
  });
}

function kindOf(path: string): FileKind {
  const { kind, guess } = sniffFile(path);
  if (kind) return kind;
  throw new FormatError(guess.what, { where: path, hint: guess.hint });
}
