// Writing the fields of a dataset, or of any source, in a form that trains fast: a folder of .npy files (which goes on where it was
// interrupted), a Zarr store (which appears when it is complete), or earth2mip's HDF5 layout (convert-hdf5.ts). Values stay in physical
// units.

import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { UsageError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import { type Progress, silentProgress } from "../core/progress.js";
import type { Grid } from "../grid/grid.js";
import { gridToJson } from "../grid/json.js";
import { writeNpy } from "../io/npy.js";
import { ZarrWriter } from "../io/zarr/write.js";
import { type NpyFolder, npyDescription, npyFieldFile } from "../sources/npy-source.js";
import type { FeatureStats } from "./dataset.js";
import { UnfinishedFolder } from "./unfinished-folder.js";

/** A field to write. */
export interface ConvertVariable {
  readonly name: string;
  readonly units: string;
  readonly longName: string;
  readonly invariant?: boolean | undefined;
  /** Mean and deviation, which half precision is centred on. */
  readonly stats?: Pick<FeatureStats, "mean" | "std"> | undefined;
}

/** What to write, and from where. */
export interface ConvertInput {
  readonly grid: Grid;
  readonly variables: readonly ConvertVariable[];
  /** Ascending. */
  readonly times: readonly number[];
  /** The fields at a time, in the order of `variables` without the invariant ones. */
  readonly read: (time: number) => Promise<readonly Float32Array[]>;
  /** The field of an invariant variable. */
  readonly readInvariant: (name: string) => Promise<Float32Array>;
}

/** Forms that fields can be written in. */
export const convertFormats = ["npy", "zarr", "hdf5"] as const;

/** Where and how to write. */
export interface ConvertOptions {
  /** Default: `zarr` for a name that ends so, `npy` for others. */
  readonly format?: (typeof convertFormats)[number] | undefined;
  /** Half precision: .npy only. */
  readonly half?: boolean | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was written. */
export interface ConvertResult {
  readonly path: string;
  readonly times: number;
  /** Times that were there already, from an interrupted run. */
  readonly kept: number;
}

/**
 * Writes to `path`: a Zarr store where it ends in `.zarr`, a folder of .npy files otherwise, or what `format` says.
 * @throws UsageError when it exists, or when another conversion to that name is unfinished; InterruptedError after an abort: a folder goes on from there, a store is removed
 */
export async function convertFields(
  input: ConvertInput,
  path: string,
  options: ConvertOptions = {},
): Promise<ConvertResult> {
  if (existsSync(path)) throw new UsageError(`${path} exists already`, { hint: "choose another name, or remove it" });
  const format = options.format ?? (extname(path) === ".zarr" ? "zarr" : "npy");
  if (format === "npy") return toNpy(input, path, options);
  if (options.half) {
    throw new UsageError("half precision goes into .npy folders only", {
      hint: options.format === undefined ? "give a name without .zarr" : "use --format npy",
    });
  }
  // HDF5 is several megabytes of WebAssembly: only those who write it load it.
  if (format === "hdf5") return (await import("./convert-hdf5.js")).convertToHdf5(input, path, options);
  return toZarr(input, path, options);
}

async function toNpy(input: ConvertInput, path: string, options: ConvertOptions): Promise<ConvertResult> {
  const { grid, variables, times } = input;
  const { half = false, progress = silentProgress, signal } = options;
  const description: NpyFolder = {
    format: "foehn-npy",
    version: 1,
    grid: gridToJson(grid),
    variables: variables.map(({ name, units, longName, invariant = false, stats }) => ({
      name,
      units,
      long_name: longName,
      invariant,
      ...(half && stats ? { scale: stats.std, offset: stats.mean } : { scale: 1, offset: 0 }),
    })),
  };
  const unfinished = await UnfinishedFolder.open(path, { description, half, times });
  const partial = unfinished.path;
  const write = async (v: number, file: string, values: Float32Array): Promise<void> => {
    const { scale, offset } = description.variables[v]!;
    const stored = scale === 1 && offset === 0 ? values : values.map((x) => (x - offset) / scale);
    await writeNpy(file, stored, grid.shape, half ? "float16" : "float32");
  };
  const changing = [...variables.keys()].filter((v) => !variables[v]!.invariant);
  let kept = 0;
  progress.start("converting", times.length);
  for (const [v, { name, invariant }] of variables.entries()) {
    const file = npyFieldFile(partial, name, undefined);
    if (invariant && !existsSync(file)) await write(v, file, await input.readInvariant(name));
  }
  for (const [k, time] of times.entries()) {
    throwIfInterrupted(signal, "the conversion");
    const files = changing.map((v) => npyFieldFile(partial, variables[v]!.name, time));
    if (files.every((file) => existsSync(file))) kept++;
    else {
      const fields = await input.read(time);
      for (const [i, v] of changing.entries()) await write(v, files[i]!, fields[i]!);
    }
    progress.update(k + 1);
  }
  await atomicWrite(join(partial, npyDescription), `${JSON.stringify(description, null, 1)}\n`);
  await unfinished.finish();
  progress.finish();
  return { path, times: times.length, kept };
}

async function toZarr(input: ConvertInput, path: string, options: ConvertOptions): Promise<ConvertResult> {
  const { grid, variables, times } = input;
  const { progress = silentProgress, signal } = options;
  const writer = await ZarrWriter.create(path, { attributes: { Conventions: "CF-1.10" } });
  try {
    const timeAttributes = {
      standard_name: "time",
      units: "seconds since 1970-01-01 00:00:00",
      calendar: "standard",
      axis: "T",
    };
    await writer.writeArray(
      { name: "time", dimensions: ["time"], shape: [null], dataType: "int64", attributes: timeAttributes },
      BigInt64Array.from(times, BigInt),
    );
    for (const [name, standard, units, axis, values] of [
      ["lat", "latitude", "degrees_north", "Y", grid.latitudes],
      ["lon", "longitude", "degrees_east", "X", grid.longitudes],
    ] as const) {
      const attributes = { standard_name: standard, units, axis };
      await writer.writeArray(
        { name, dimensions: [name], shape: [values.length], dataType: "float64", attributes },
        values,
      );
    }
    const [ny, nx] = grid.shape;
    for (const { name, units, longName, invariant } of variables) {
      const attributes = { units, long_name: longName };
      if (invariant) {
        const spec = { name, dimensions: ["lat", "lon"], shape: [ny, nx], dataType: "float32", attributes } as const;
        await writer.writeArray(spec, await input.readInvariant(name));
      } else {
        const dimensions = ["time", "lat", "lon"];
        await writer.declare({
          name,
          dimensions,
          shape: [null, ny, nx],
          chunkShape: [1, ny, nx],
          dataType: "float32",
          attributes,
        });
      }
    }
    const changing = variables.filter((v) => !v.invariant);
    progress.start("converting", times.length);
    for (const [k, time] of times.entries()) {
      throwIfInterrupted(signal, "the conversion");
      const fields = await input.read(time);
      for (const [i, { name }] of changing.entries()) await writer.writeChunk(name, [k, 0, 0], fields[i]!);
      progress.update(k + 1);
    }
    progress.finish();
    await writer.close();
    return { path, times: times.length, kept: 0 };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
