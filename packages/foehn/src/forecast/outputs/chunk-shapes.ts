// Chunk and shard shapes of a Zarr forecast from what people write: `lead=8,lat=181` or `ensemble=all`. A chunk holds one forecast only, so
// that forecasts are written without waiting for each other; shards put the chunks of several into one file.

import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { AxisKind, CfAxis } from "./cf-layout.js";

/** Sizes by axis, in elements; 0 is the whole axis. */
export type AxisSizes = Partial<Readonly<Record<AxisKind, number>>>;

const axisNames: Readonly<Record<string, AxisKind>> = {
  date: "date",
  initial_time: "date",
  forecast_reference_time: "date",
  ensemble: "ensemble",
  member: "ensemble",
  lead: "lead",
  lead_time: "lead",
  prediction_timedelta: "lead",
  time: "lead",
  lat: "lat",
  latitude: "lat",
  lon: "lon",
  longitude: "lon",
  point: "point",
};

/** `lead=8,lat=all`. @throws UsageError */
export function parseAxisSizes(text: string): AxisSizes {
  const sizes: Partial<Record<AxisKind, number>> = {};
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.split("=").map((word) => word.trim());
    const kind = Object.hasOwn(axisNames, name) ? axisNames[name] : undefined;
    const size = value === "all" ? 0 : Number(value);
    if (kind === undefined) {
      throw new UsageError(`"${name}" is no axis of a forecast`, {
        hint: didYouMean(name, Object.keys(axisNames)) || "axes: date, ensemble, lead, lat, lon, point",
      });
    }
    if (value === "" || !Number.isInteger(size) || (size < 1 && value !== "all")) {
      throw new UsageError(`the axis ${name} got the size "${value}"`, {
        hint: "give a whole number from 1, or all: lead=8,lat=all",
      });
    }
    sizes[kind] = size;
  }
  return sizes;
}

/** Shapes for the axes of a file. */
export interface ChunkShapes {
  readonly chunkShape: readonly number[];
  readonly shardShape: readonly number[] | undefined;
}

const isSpace = (kind: AxisKind): boolean => kind === "lat" || kind === "lon" || kind === "point";

/**
 * Default chunks are one field each. Shards take the whole of space and one chunk of the other axes, where nothing else is said.
 * @throws UsageError for sizes that do not go together
 */
export function chunkShapes(axes: readonly CfAxis[], chunks: AxisSizes = {}, shards?: AxisSizes): ChunkShapes {
  for (const sizes of [chunks, shards ?? {}]) requireAxes(axes, sizes);
  const chunkShape = axes.map(({ kind, size }) => {
    const wanted = chunks[kind];
    if ((kind === "date" || kind === "ensemble") && wanted !== undefined && wanted !== 1 && size !== 1) {
      throw new UsageError(`a chunk of ${wanted || "all"} along ${kind} would hold several forecasts`, {
        hint: `chunks hold one forecast; put several into one file with --shards ${kind}=${wanted || "all"}`,
      });
    }
    if (wanted === undefined) return isSpace(kind) ? size : 1;
    return wanted === 0 ? size : Math.min(wanted, size);
  });
  if (!shards) return { chunkShape, shardShape: undefined };
  const shardShape = axes.map(({ kind, name, size }, axis) => {
    const chunk = chunkShape[axis]!;
    const wanted = shards[kind] ?? (isSpace(kind) ? 0 : chunk);
    if (wanted === 0 || wanted >= size) return Math.ceil(size / chunk) * chunk;
    if (wanted % chunk === 0) return wanted;
    throw new UsageError(`shards of ${wanted} along ${name} are not made of whole chunks of ${chunk}`, {
      hint: `give a multiple of ${chunk}, or all`,
    });
  });
  return { chunkShape, shardShape };
}

function requireAxes(axes: readonly CfAxis[], sizes: AxisSizes): void {
  for (const kind of Object.keys(sizes) as AxisKind[]) {
    // One date or a forecast without members has no such axis, and one element along it.
    if (kind === "date" || kind === "ensemble" || axes.some((axis) => axis.kind === kind)) continue;
    throw new UsageError(`the forecast has no axis ${kind}`, { hint: `it has ${axes.map((a) => a.kind).join(", ")}` });
  }
}
