// Writes fields in earth2mip's HDF5 layout (sources/hdf5-layout.ts): one file per year, `data.json`, the time means. Each file is NetCDF-4
// as well, with named axes. The layout has one series of channels from 1 January 00:00 on: constant fields are repeated at every time,
// and times before the first one, or without data, are NaN. An interrupted conversion keeps the years that are complete.

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import { silentProgress } from "../core/progress.js";
import { cfTimeUnits, formatDuration, formatTimeShort } from "../core/time.js";
import { gridToJson } from "../grid/json.js";
import { openHdf5 } from "../io/netcdf/hdf5-read.js";
import { NetcdfWriter } from "../io/netcdf/write.js";
import { writeNpy } from "../io/npy.js";
import { hdf5Description, hdf5Dimensions, startOfYear } from "../sources/hdf5-layout.js";
import { usualStep } from "../sources/resolve.js";
import type { ConvertInput, ConvertOptions, ConvertResult } from "./convert.js";
import { UnfinishedFolder } from "./unfinished-folder.js";

const dataset = "fields";
/** Folder of the yearly files; readers of the layout take any. */
const folder = "years";

/**
 * Writes the layout to the folder `path`.
 * @throws UsageError when the times do not lie on one step from the beginning of each year, or another conversion to that name is
 * unfinished; InterruptedError after an abort
 */
export async function convertToHdf5(
  input: ConvertInput,
  path: string,
  options: ConvertOptions,
): Promise<ConvertResult> {
  const { grid, variables, times } = input;
  const { progress = silentProgress, signal } = options;
  const step = commonStep(times);
  const points = grid.shape[0] * grid.shape[1];
  const unfinished = await UnfinishedFolder.open(path, { format: "hdf5", grid: gridToJson(grid), variables, times });
  const partial = unfinished.path;
  await mkdir(join(partial, folder), { recursive: true });
  const constants = new Map<string, Float32Array>();
  for (const { name, invariant } of variables) if (invariant) constants.set(name, await input.readInvariant(name));
  const sums = new Float64Array(variables.length * points);
  const counts = new Uint32Array(sums.length);
  const add = (fields: Float32Array): void => {
    for (let i = 0; i < fields.length; i++) {
      if (Number.isNaN(fields[i]!)) continue;
      sums[i]! += fields[i]!;
      counts[i]!++;
    }
  };
  let kept = 0;
  let done = 0;
  progress.start("converting", times.length);
  for (const [year, own] of byYear(times)) {
    const file = join(partial, folder, `${year}.h5`);
    if (existsSync(file)) {
      // Complete, from an interrupted run: only its part of the means is missing.
      const open = await openHdf5(file);
      const array = open.variables.find((v) => v.name === dataset)!;
      for (const time of own) {
        throwIfInterrupted(signal, "the conversion");
        const k = (time - startOfYear(year)) / step;
        add(array.read([k, 0, 0, 0], [1, ...array.shape.slice(1)]) as Float32Array);
      }
      open.close();
      kept += own.length;
      done += own.length;
      continue;
    }
    const writer = await yearWriter(file, input, year, (own.at(-1)! - startOfYear(year)) / step + 1, step);
    try {
      for (const time of own) {
        throwIfInterrupted(signal, "the conversion");
        const changing = await input.read(time);
        const all = new Float32Array(sums.length);
        let next = 0;
        for (const [v, { name, invariant }] of variables.entries()) {
          all.set(invariant ? constants.get(name)! : changing[next++]!, v * points);
        }
        add(all);
        await writer.writeChunk(dataset, [(time - startOfYear(year)) / step, 0, 0, 0], all);
        progress.update(++done);
      }
      await writer.close();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
  const means = Float32Array.from(sums, (sum, i) => (counts[i] === 0 ? Number.NaN : sum / counts[i]!));
  await mkdir(join(partial, "stats"), { recursive: true });
  await writeNpy(join(partial, "stats", "time_means.npy"), means, [1, variables.length, ...grid.shape]);
  const description = {
    attrs: { units: Object.fromEntries(variables.map(({ name, units }) => [name, units])) },
    coords: {
      channel: variables.map(({ name }) => name),
      lat: [...grid.latitudes],
      lon: [...grid.longitudes],
    },
    dims: hdf5Dimensions,
    dhours: step / 3600,
    h5_path: dataset,
  };
  await atomicWrite(join(partial, hdf5Description), `${JSON.stringify(description, null, 1)}\n`);
  await unfinished.finish();
  progress.finish();
  return { path, times: times.length, kept };
}

async function yearWriter(
  file: string,
  { grid, variables }: ConvertInput,
  year: number,
  count: number,
  step: number,
): Promise<NetcdfWriter> {
  const writer = await NetcdfWriter.create(file);
  try {
    const origin = startOfYear(year);
    const times = BigInt64Array.from({ length: count }, (_, k) => BigInt((k * step) / 3600));
    const axis = (name: string, values: Float64Array, attributes: Record<string, string>) =>
      writer.writeArray({ name, dimensions: [name], shape: [values.length], dataType: "float64", attributes }, values);
    const attributes = { standard_name: "time", units: cfTimeUnits(origin), calendar: "standard", axis: "T" };
    await writer.writeArray(
      { name: "time", dimensions: ["time"], shape: [null], dataType: "int64", attributes },
      times,
    );
    await writer.writeNames(
      "channel",
      variables.map(({ name }) => name),
    );
    await axis("lat", grid.latitudes, { standard_name: "latitude", units: "degrees_north", axis: "Y" });
    await axis("lon", grid.longitudes, { standard_name: "longitude", units: "degrees_east", axis: "X" });
    await writer.declare({
      name: dataset,
      dimensions: hdf5Dimensions,
      shape: [null, variables.length, ...grid.shape],
      chunkShape: [1, variables.length, ...grid.shape],
      dataType: "float32",
    });
    return writer;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function byYear(times: readonly number[]): Map<number, number[]> {
  const years = new Map<number, number[]>();
  for (const time of times) {
    const year = new Date(time * 1000).getUTCFullYear();
    const own = years.get(year);
    if (own === undefined) years.set(year, [time]);
    else own.push(time);
  }
  return years;
}

/** The step of the series, which must meet all times from the beginning of each year. */
function commonStep(times: readonly number[]): number {
  const step = usualStep(times) ?? 6 * 3600;
  for (const time of times) {
    const year = new Date(time * 1000).getUTCFullYear();
    if ((time - startOfYear(year)) % step === 0 && step % 3600 === 0) continue;
    throw new UsageError(
      `the HDF5 layout has a time every ${formatDuration(step)} from 1 January 00:00 on; ${formatTimeShort(time)} is none of them`,
      { hint: "choose another step for the dataset, or write npy or Zarr" },
    );
  }
  return step;
}
