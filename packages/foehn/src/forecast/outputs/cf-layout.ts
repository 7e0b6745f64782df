// The axes and coordinates of a forecast file, CF-1.10, the same in Zarr and NetCDF. One initial time gives (time, lat, lon); several give
// (forecast_reference_time, lead_time, lat, lon) with the valid times as a two-dimensional coordinate. Ensembles have the axis
// `ensemble` before the leads. Points have `point` in place of lat and lon. Means have bounds. Not here: the formats (io/), chunks.

import type { Grid } from "../../grid/grid.js";
import type { PointsGrid } from "../../grid/points-grid.js";
import type { ArrayAttributes, ArraySpec, ArrayValues, ArrayWriter } from "../../io/array-writer.js";
import { cfTimeAxis } from "../cf-time-axis.js";
import type { ForecastHeader, ForecastStep, OutputVariable } from "./output.js";

/** The header of a file: also for points, and for means over time. */
export interface FileHeader extends Omit<ForecastHeader, "grid"> {
  readonly grid: Grid | PointsGrid;
  /** Names of points. */
  readonly pointNames?: readonly string[] | undefined;
  /** Seconds of the model's step, where not every step is kept: what fields of a period (precipitation) cover. */
  readonly stepSeconds?: number | undefined;
  /** For means: begin and end of each lead's period, seconds after the initial time. The fields are means then. */
  readonly leadBounds?: readonly (readonly [from: number, to: number])[] | undefined;
}

/** What an axis is, whatever its name in the file. */
export type AxisKind = "date" | "ensemble" | "lead" | "lat" | "lon" | "point";

/** An axis of the variables. */
export interface CfAxis {
  readonly kind: AxisKind;
  readonly name: string;
  readonly size: number;
}

/** The axes of a file's variables, in order. */
export function cfAxes({ initialTimes, hasMembers, members, leadTimes, grid }: FileHeader): CfAxis[] {
  const isSingle = initialTimes.length === 1;
  return [
    ...(isSingle
      ? []
      : [{ kind: "date", name: "forecast_reference_time", size: initialTimes.length } satisfies CfAxis]),
    ...(hasMembers ? [{ kind: "ensemble", name: "ensemble", size: members } satisfies CfAxis] : []),
    { kind: "lead", name: isSingle ? "time" : "lead_time", size: leadTimes.length },
    ...(grid.kind === "points"
      ? [{ kind: "point", name: "point", size: grid.shape[0] } satisfies CfAxis]
      : ([
          { kind: "lat", name: "lat", size: grid.shape[0] },
          { kind: "lon", name: "lon", size: grid.shape[1] },
        ] satisfies CfAxis[])),
  ];
}

/** Place of a step on the axes before those of space. */
export function cfPlace(header: FileHeader, { initialIndex, memberIndex, leadIndex }: ForecastStep): number[] {
  return [
    ...(header.initialTimes.length === 1 ? [] : [initialIndex]),
    ...(header.hasMembers ? [memberIndex] : []),
    leadIndex,
  ];
}

/** Attributes of a variable. */
export function cfAttributes(header: FileHeader, variable: OutputVariable): ArrayAttributes {
  const { units, longName, standardName } = variable;
  const coordinates = header.initialTimes.length === 1 ? "forecast_reference_time lead_time" : "time";
  return {
    units,
    long_name: longName,
    ...(standardName === undefined ? {} : { standard_name: standardName }),
    coordinates: header.grid.kind === "points" ? `${coordinates} lat lon` : coordinates,
    ...(header.leadBounds ? { cell_methods: "time: mean" } : {}),
  };
}

/** Where coordinates go. */
export type CoordinateWriter = Pick<ArrayWriter, "writeArray">;

/** Writes coordinates: `growing` makes the time of a plain forecast an axis that other tools can make longer. */
export async function writeCoordinates(writer: CoordinateWriter, header: FileHeader, growing = false): Promise<void> {
  await writeTimes(writer, header, growing);
  if (header.hasMembers) await writeMembers(writer, header.members);
  await writeSpace(writer, header);
}

const north = { standard_name: "latitude", long_name: "latitude", units: "degrees_north" };
const east = { standard_name: "longitude", long_name: "longitude", units: "degrees_east" };

async function writeSpace(writer: CoordinateWriter, { grid, pointNames }: FileHeader): Promise<void> {
  const axis = (name: string, dimension: string, values: Float64Array, attributes: ArrayAttributes) =>
    writer.writeArray(
      { name, dimensions: [dimension], shape: [values.length], dataType: "float64", attributes },
      values,
    );
  if (grid.kind === "latlon") {
    await axis("lat", "lat", grid.latitudes, { ...north, axis: "Y" });
    await axis("lon", "lon", grid.longitudes, { ...east, axis: "X" });
    return;
  }
  const numbers = Int32Array.from({ length: grid.shape[0] }, (_, i) => i);
  const attributes = { long_name: "number of the point", ...(pointNames ? { point_names: pointNames } : {}) };
  await writer.writeArray(
    { name: "point", dimensions: ["point"], shape: [numbers.length], dataType: "int32", attributes },
    numbers,
  );
  await axis("lat", "point", grid.latitudes, north);
  await axis("lon", "point", grid.longitudes, east);
}

/** CF-1.10 calls the members of an ensemble realizations. */
async function writeMembers(writer: CoordinateWriter, members: number): Promise<void> {
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

const referenceAttributes = {
  standard_name: "forecast_reference_time",
  long_name: "initial time of the forecast",
} as const;
const periodAttributes = { standard_name: "forecast_period", long_name: "time since the initial time" } as const;
const timeAttributes = { standard_name: "time", long_name: "valid time" } as const;

async function writeTimes(writer: CoordinateWriter, header: FileHeader, growing: boolean): Promise<void> {
  const { initialTimes, leadTimes, leadBounds } = header;
  const isSingle = initialTimes.length === 1;
  const first = initialTimes[0]!;
  const validTimes = initialTimes.flatMap((start) => leadTimes.map((lead) => start + lead));
  const valid = cfTimeAxis(validTimes, first);
  const leads = cfTimeAxis([...leadTimes, ...(leadBounds ?? []).flat()], 0);
  const starts = cfTimeAxis(initialTimes, first);
  const array = (spec: Omit<ArraySpec, "dataType">, values: ArrayValues) =>
    writer.writeArray({ ...spec, dataType: "int64" }, values);
  const leadName = isSingle ? "time" : "lead_time";
  const bounds = leadBounds ? { bounds: "lead_time_bnds" } : {};
  const length = growing ? null : leadTimes.length;
  const time = { ...timeAttributes, units: valid.units, calendar: valid.calendar };
  const reference = { ...referenceAttributes, units: starts.units, calendar: starts.calendar };
  const writeLeads = () =>
    array(
      {
        name: "lead_time",
        dimensions: [leadName],
        shape: [isSingle ? length : leadTimes.length],
        attributes: { ...periodAttributes, units: leads.periodUnits, ...bounds },
      },
      leads.values.slice(0, leadTimes.length),
    );
  if (isSingle) {
    await array(
      { name: "time", dimensions: ["time"], shape: [length], attributes: { ...time, axis: "T" } },
      valid.values,
    );
    await array(
      { name: referenceAttributes.standard_name, dimensions: [], shape: [], attributes: reference },
      starts.values,
    );
    await writeLeads();
  } else {
    const name = referenceAttributes.standard_name;
    const size = initialTimes.length;
    await array({ name, dimensions: [name], shape: [size], attributes: { ...reference, axis: "T" } }, starts.values);
    await writeLeads();
    await array(
      { name: "time", dimensions: [name, "lead_time"], shape: [size, leadTimes.length], attributes: time },
      valid.values,
    );
  }
  if (!leadBounds) return;
  await array({ name: "bnds", dimensions: ["bnds"], shape: [2] }, BigInt64Array.of(0n, 1n));
  await array(
    { name: "lead_time_bnds", dimensions: [leadName, "bnds"], shape: [leadTimes.length, 2] },
    leads.values.slice(leadTimes.length),
  );
}
