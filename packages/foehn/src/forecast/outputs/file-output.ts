// Forecasts as gridded files, NetCDF-4 or Zarr by the ending of the name, with CF metadata (CF-1.10): one array per variable, one
// chunk per field. One initial time gives (time, lat, lon); several give (forecast_reference_time, lead_time, lat, lon) with the valid
// times as a two-dimensional coordinate. Ensembles have the axis `ensemble` before the leads. Not here: the formats themselves (io/).

import { extname } from "node:path";
import { UsageError } from "../../core/errors.js";
import type { ArrayAttributes, ArrayWriter } from "../../io/array-writer.js";
import { NetcdfWriter } from "../../io/netcdf/write.js";
import { ZarrWriter } from "../../io/zarr/write.js";
import { cfTimeAxis } from "../cf-time-axis.js";
import type { ForecastHeader, ForecastOutput, ForecastStep } from "./output.js";

/** Options of `openFileOutput`. */
export interface FileOutputOptions {
  readonly overwrite?: boolean;
  /** Zarr: none (default), gzip, zstd or blosc. NetCDF: none (default) or a deflate level 1 to 9. */
  readonly compression?: string | undefined;
  /** Zarr format; default 3. */
  readonly zarrFormat?: 2 | 3 | undefined;
}

/** File endings that `fileOutput` knows. */
export const fileEndings = [".zarr", ".nc", ".nc4"] as const;

/**
 * An output file or folder by the ending of its name.
 * @throws UsageError for another ending
 */
export function fileOutput(path: string, options: FileOutputOptions = {}): ForecastOutput {
  const { overwrite = false, compression, zarrFormat } = options;
  const ending = extname(path.replace(/\/+$/, "")).toLowerCase();
  if (ending === ".zarr") {
    return new FileOutput((attributes) =>
      ZarrWriter.create(path, {
        attributes,
        overwrite,
        ...(compression === undefined ? {} : { compression }),
        ...(zarrFormat === undefined ? {} : { format: zarrFormat }),
      }),
    );
  }
  if (ending === ".nc" || ending === ".nc4") {
    const deflate = deflateLevel(compression);
    return new FileOutput((attributes) => NetcdfWriter.create(path, { attributes, overwrite, deflate }));
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

class FileOutput implements ForecastOutput {
  readonly #create: (attributes: ArrayAttributes) => Promise<ArrayWriter>;
  #writer: ArrayWriter | undefined;
  #header: ForecastHeader | undefined;

  constructor(create: (attributes: ArrayAttributes) => Promise<ArrayWriter>) {
    this.#create = create;
  }

  async open(header: ForecastHeader): Promise<void> {
    const { grid, initialTimes, leadTimes, variables } = header;
    this.#header = header;
    const writer = await this.#create({ Conventions: "CF-1.10", ...header.provenance });
    this.#writer = writer;
    await writeTimes(writer, header);
    if (header.hasMembers) await writeMembers(writer, header.members);
    const axis = (name: string, standard: string, units: string, letter: string, values: Float64Array) =>
      writer.writeArray(
        {
          name,
          dimensions: [name],
          shape: [values.length],
          dataType: "float64",
          attributes: { standard_name: standard, long_name: standard, units, axis: letter },
        },
        values,
      );
    await axis("lat", "latitude", "degrees_north", "Y", grid.latitudes);
    await axis("lon", "longitude", "degrees_east", "X", grid.longitudes);
    const [ny, nx] = grid.shape;
    const single = initialTimes.length === 1;
    const leads = single && !header.hasMembers ? null : leadTimes.length;
    const axes: readonly (readonly [name: string, size: number | null, chunk: number])[] = [
      ...(single ? [] : [["forecast_reference_time", initialTimes.length, 1] as const]),
      ...(header.hasMembers ? [["ensemble", header.members, 1] as const] : []),
      [single ? "time" : "lead_time", leads, 1],
      ["lat", ny, ny],
      ["lon", nx, nx],
    ];
    for (const { name, units, longName, standardName } of variables) {
      await writer.declare({
        name,
        dimensions: axes.map(([axis]) => axis),
        shape: axes.map(([, size]) => size),
        chunkShape: axes.map(([, , chunk]) => chunk),
        dataType: "float32",
        attributes: {
          units,
          long_name: longName,
          ...(standardName === undefined ? {} : { standard_name: standardName }),
          coordinates: single ? "forecast_reference_time lead_time" : "time",
        },
      });
    }
  }

  async write({ initialIndex, memberIndex, leadIndex, fields }: ForecastStep): Promise<void> {
    const writer = this.#writer!;
    const { initialTimes, hasMembers, variables } = this.#header!;
    const place = [
      ...(initialTimes.length === 1 ? [] : [initialIndex]),
      ...(hasMembers ? [memberIndex] : []),
      leadIndex,
      0,
      0,
    ];
    await Promise.all(variables.map((variable, v) => writer.writeChunk(variable.name, place, fields[v]!)));
  }

  async close(): Promise<string | undefined> {
    return this.#writer?.close();
  }

  async abort(): Promise<void> {
    await this.#writer?.abort();
  }
}

/** CF-1.10 calls the members of an ensemble realizations. */
async function writeMembers(writer: ArrayWriter, members: number): Promise<void> {
  await writer.writeArray(
    {
      name: "ensemble",
      dimensions: ["ensemble"],
      shape: [members],
      dataType: "int32",
      attributes: { standard_name: "realization", long_name: "ensemble member; 0 is the control", units: "1" },
    },
    Int32Array.from({ length: members }, (_, member) => member),
  );
}

async function writeTimes(writer: ArrayWriter, { initialTimes, leadTimes, hasMembers }: ForecastHeader): Promise<void> {
  const reference = { standard_name: "forecast_reference_time", long_name: "initial time of the forecast" };
  const period = { standard_name: "forecast_period", long_name: "time since the initial time" };
  const time = { standard_name: "time", long_name: "valid time" };
  const validTimes = initialTimes.flatMap((start) => leadTimes.map((lead) => start + lead));
  const valid = cfTimeAxis(validTimes, initialTimes[0]!);
  const leads = cfTimeAxis(leadTimes, 0);
  const leadSpec = {
    name: "lead_time",
    dataType: "int64",
    attributes: { ...period, units: leads.periodUnits },
  } as const;
  if (initialTimes.length === 1) {
    const attributes = { ...time, units: valid.units, calendar: valid.calendar, axis: "T" };
    // A plain forecast can be made longer by other tools.
    const shape = [hasMembers ? leadTimes.length : null];
    await writer.writeArray({ name: "time", dimensions: ["time"], shape, dataType: "int64", attributes }, valid.values);
    await writer.writeArray(
      {
        name: "forecast_reference_time",
        dimensions: [],
        shape: [],
        dataType: "int64",
        attributes: { ...reference, units: valid.units, calendar: valid.calendar },
      },
      BigInt64Array.of(0n),
    );
    await writer.writeArray({ ...leadSpec, dimensions: ["time"], shape }, leads.values);
    return;
  }
  const starts = cfTimeAxis(initialTimes, initialTimes[0]!);
  await writer.writeArray(
    {
      name: "forecast_reference_time",
      dimensions: ["forecast_reference_time"],
      shape: [initialTimes.length],
      dataType: "int64",
      attributes: { ...reference, units: starts.units, calendar: starts.calendar, axis: "T" },
    },
    starts.values,
  );
  await writer.writeArray({ ...leadSpec, dimensions: ["lead_time"], shape: [leadTimes.length] }, leads.values);
  await writer.writeArray(
    {
      name: "time",
      dimensions: ["forecast_reference_time", "lead_time"],
      shape: [initialTimes.length, leadTimes.length],
      dataType: "int64",
      attributes: { ...time, units: valid.units, calendar: valid.calendar },
    },
    valid.values,
  );
}
