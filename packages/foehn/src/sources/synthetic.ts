// A source without files: hourly states of a rotating shallow-water basin (shallow-water.ts), laid on a region of latitudes and
// longitudes. States are computed when they are first asked for, in order of time, and kept in memory.

import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { UsageError } from "../core/errors.js";
import { parseTime } from "../core/time.js";
import { earthRadius } from "../grid/geometry.js";
import { regularGrid } from "../grid/grid.js";
import { describeTimes, resolveTime, resolveVariable } from "./resolve.js";
import { ShallowWater } from "./shallow-water.js";
import type { Field, FieldRequest, Source, VariableInfo } from "./source.js";

const hour = 3600;

/** What the basin is; keys as in configuration files. */
export const syntheticSchema = z.strictObject({
  seed: z.int().nonnegative().default(0).describe("of the random initial state"),
  days: z.number().positive().default(40).describe("length of the series"),
  start: z.string().default("2020-01-01").describe("first time"),
  ny: z.int().min(8).default(64).describe("rows"),
  nx: z.int().min(8).default(64).describe("columns"),
  spacing: z.number().positive().default(0.75).describe("distance of points in degrees, both ways"),
  latitude: z.number().min(-75).max(75).default(45).describe("of the middle of the basin, degrees north"),
  west: z.number().default(-24).describe("longitude of the first column, degrees east"),
  mean_depth: z.number().positive().default(250).describe("m; gravity waves run at sqrt(g depth)"),
  wind_speed: z.number().positive().default(10).describe("root mean square of the initial current, m s-1"),
  spin_up_days: z
    .number()
    .nonnegative()
    .default(10)
    .describe("days before the first state, in which gravity waves are damped"),
});

/** What the basin is. */
export type SyntheticSettings = z.infer<typeof syntheticSchema>;

const variables: readonly VariableInfo[] = [
  { name: "h", units: "m", longName: "Depth of the fluid" },
  { name: "u", units: "m s-1", longName: "Eastward current", standardName: "eastward_wind" },
  { name: "v", units: "m s-1", longName: "Northward current", standardName: "northward_wind" },
];

/** True for the texts that mean this source: `synthetic`, `synthetic:seed=3,days=20`. */
export function isSyntheticSpec(spec: string): boolean {
  return spec === "synthetic" || spec.startsWith("synthetic:");
}

/**
 * Opens `synthetic` or `synthetic:key=value,…` with the keys of `syntheticSchema`.
 * @throws UsageError for a part without `=`, ConfigError for an unknown key or a bad value
 */
export function openSyntheticSource(spec: string): Source {
  const settings: Record<string, unknown> = {};
  for (const part of spec.slice("synthetic:".length).split(",").filter(Boolean)) {
    const at = part.indexOf("=");
    if (at < 0) throw new UsageError(`expected key=value in "${spec}", got "${part}"`);
    const [key, text] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    settings[key] = key === "start" ? text : Number(text);
  }
  return syntheticSource(validateSettings(syntheticSchema, settings, `source "${spec}"`));
}

/** Makes the source; nothing is integrated before the first `read`. */
export function syntheticSource(settings: SyntheticSettings = syntheticSchema.parse({})): Source {
  const { ny, nx, spacing, latitude, west } = settings;
  const grid = regularGrid({
    lat0: latitude + ((ny - 1) / 2) * spacing,
    dlat: spacing,
    ny,
    lon0: west,
    dlon: spacing,
    nx,
  });
  const start = parseTime(settings.start);
  const times = Array.from({ length: Math.max(1, Math.round(settings.days * 24)) }, (_, k) => start + k * hour);
  const description = `a shallow-water basin (seed ${settings.seed}), ${describeTimes(times)}`;
  const states: Record<string, Float32Array>[] = [];
  let model: ShallowWater | undefined;
  let closed = false;
  let queue: Promise<void> = Promise.resolve();

  const createModel = (): ShallowWater => {
    const metres = (spacing * Math.PI * earthRadius) / 180;
    const made = new ShallowWater({
      ny,
      nx,
      dy: metres,
      dx: metres * Math.cos((latitude * Math.PI) / 180),
      latitude,
      meanDepth: settings.mean_depth,
      windSpeed: settings.wind_speed,
      seed: settings.seed,
    });
    for (let n = 0; n < Math.round(settings.spin_up_days * 24); n++) made.run(hour, { damping: true });
    return made;
  };

  /** Integrates until state `k` is known; lets other work run now and then. */
  const reach = async (k: number): Promise<void> => {
    while (states.length <= k && !closed) {
      if (!model) model = createModel();
      else model.run(hour);
      const fields = model.fields();
      states.push({ h: northFirst(fields.h, nx), u: northFirst(fields.u, nx), v: northFirst(fields.v, nx) });
      if (states.length % 24 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };

  return {
    description,
    variables,
    grid,
    times,
    async read(request: FieldRequest): Promise<Field[]> {
      const k = resolveTime(request.time, times, description);
      const names = request.variables.map((name) => resolveVariable(name, variables, description).info.name);
      if (!states[k]) {
        // One integration at a time, whoever asks.
        queue = queue.then(() => reach(k));
        await queue;
      }
      const state = states[k];
      if (!state) throw new UsageError("the synthetic source was closed");
      return names.map((name, i) => ({
        variable: request.variables[i]!,
        time: request.time,
        values: state[name]!.slice(),
      }));
    },
    async close(): Promise<void> {
      closed = true;
      await queue.catch(() => {});
      model?.dispose();
      model = undefined;
    },
  };
}

/** Rows from south-to-north to north-to-south, as float32. */
function northFirst(values: Float64Array, nx: number): Float32Array {
  const ny = values.length / nx;
  const out = new Float32Array(values.length);
  for (let i = 0; i < ny; i++) out.set(values.subarray((ny - 1 - i) * nx, (ny - i) * nx), i * nx);
  return out;
}
