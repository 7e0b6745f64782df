// Weather events: when an ensemble starts, from what, and for which places its output is kept. The format is earth2mip's
// weather_events.json, a table of events by name; an event may also stand in the configuration of a run itself.
// Not here: writing the domains (outputs/) and the run (run-ensemble.ts).

import { z } from "zod";
import { loadConfig } from "../../core/config.js";
import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { formatTime, parseTime } from "../../core/time.js";
import type { Region } from "../../grid/geometry.js";

/** Name of the file that is looked for in the working directory. */
export const weatherEventsFile = "weather_events.json";

const instant = z.string().refine((text) => {
  try {
    return Number.isFinite(parseTime(text));
  } catch {
    return false;
  }
}, 'not a time; write it like "2018-06-01 18:00:00"');

/** What is made of the fields. earth2mip lists more kinds and refuses them when it runs. */
const diagnostic = z.strictObject({
  type: z
    .string()
    .refine(
      (type) => type === "raw",
      'expected "raw", the fields as they are; scores, means and histograms are made from these afterwards (foehn score-ensemble)',
    )
    .default("raw"),
  function: z.string().default(""),
  channels: z.array(z.string()).min(1),
  nbins: z.int().positive().default(10),
});

const common = { name: z.string().min(1), diagnostics: z.array(diagnostic).min(1) };
const latitude = z.number().min(-90).max(90);

const window = z.strictObject({
  type: z.literal("Window").optional(),
  ...common,
  lat_min: latitude.optional().describe("default: what the name says, else -90"),
  lat_max: latitude.optional(),
  lon_min: z.number().default(0).describe("may lie east of lon_max: the window then crosses 0°"),
  lon_max: z.number().default(360),
});

const multiPoint = z.strictObject({
  type: z.literal("MultiPoint"),
  ...common,
  lat: z.array(latitude).min(1),
  lon: z.array(z.number()).min(1),
});

/** Boxes that need no bounds: their name says it. */
export const namedDomains: Readonly<Record<string, { readonly lat_min: number; readonly lat_max: number }>> = {
  global: { lat_min: -90, lat_max: 90 },
  northern_hemisphere: { lat_min: 0, lat_max: 90 },
  southern_hemisphere: { lat_min: -90, lat_max: 0 },
};

const domain = z
  .discriminatedUnion("type", [window, multiPoint])
  .superRefine((value, context) => {
    const problem = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (value.type === "MultiPoint") {
      if (value.lat.length === value.lon.length) return;
      problem(["lon"], `expected as many longitudes as latitudes (${value.lat.length}), got ${value.lon.length}`);
    } else if (value.lat_min !== undefined && value.lat_max !== undefined && value.lat_min > value.lat_max) {
      problem(["lat_max"], `expected at least lat_min (${value.lat_min}), got ${value.lat_max}`);
    }
  })
  .transform((value) => {
    if (value.type === "MultiPoint") return value;
    const known = Object.hasOwn(namedDomains, value.name) ? namedDomains[value.name]! : namedDomains.global!;
    const { lat_min = known.lat_min, lat_max = known.lat_max } = value;
    return { ...value, type: "Window" as const, lat_min, lat_max };
  });

/** Schema of an event. */
export const weatherEventSchema = z.strictObject({
  properties: z.strictObject({
    name: z.string().min(1),
    start_time: instant.optional().describe("initial time, UTC"),
    initial_condition_source: z.enum(["era5", "cds", "gfs", "ifs", "hrmip"]).default("era5"),
    netcdf: z.string().default("").describe("file of the initial state; goes before the source"),
    restart: z.string().default(""),
  }),
  domains: z
    .array(domain)
    .min(1)
    .superRefine((domains, context) => {
      const names = domains.map(({ name }) => name);
      const twice = names.findIndex((name, i) => names.indexOf(name) !== i);
      if (twice >= 0)
        context.addIssue({ code: "custom", path: [twice, "name"], message: `"${names[twice]}" is there twice` });
    }),
});

const eventsSchema = z.record(z.string(), weatherEventSchema);

/** A checked event. */
export type WeatherEvent = z.output<typeof weatherEventSchema>;

/** A checked domain of an event. */
export type WeatherDomain = WeatherEvent["domains"][number];

/**
 * The events of a file.
 * @throws ConfigError with the place of everything that is wrong; StorageError
 */
export function readWeatherEvents(path: string = weatherEventsFile): Readonly<Record<string, WeatherEvent>> {
  return loadConfig(path, eventsSchema);
}

/** One event of a file by its name. @throws UsageError with the nearest names when it is not there; as `readWeatherEvents` */
export function weatherEvent(name: string, path: string = weatherEventsFile): WeatherEvent {
  const events = readWeatherEvents(path);
  if (Object.hasOwn(events, name)) return events[name]!;
  const names = Object.keys(events);
  throw new UsageError(`there is no weather event "${name}" in ${path}`, {
    hint: didYouMean(name, names) || `it has ${names.join(", ") || "none"}`,
  });
}

/** The box of a window. */
export function windowRegion({
  lat_min,
  lat_max,
  lon_min,
  lon_max,
}: Extract<WeatherDomain, { type: "Window" }>): Region {
  return { south: lat_min, north: lat_max, west: lon_min, east: lon_max };
}

/** Channels that any diagnostic of a domain asks for, each once, in their order. */
export function domainChannels({ diagnostics }: WeatherDomain): string[] {
  return [...new Set(diagnostics.flatMap(({ channels }) => channels))];
}

/** One line for people. */
export function describeDomain(one: WeatherDomain): string {
  const channels = domainChannels(one).join(", ");
  if (one.type === "MultiPoint") return `${one.name}: ${one.lat.length} points; ${channels}`;
  const { lat_min, lat_max, lon_min, lon_max } = one;
  return `${one.name}: ${lat_min} to ${lat_max} °N, ${lon_min} to ${lon_max} °E; ${channels}`;
}

/** Initial time of an event, epoch seconds. @throws UsageError when it has none */
export function startOf({ properties: { name, start_time } }: WeatherEvent): number {
  if (start_time !== undefined) return parseTime(start_time);
  throw new UsageError(`the weather event "${name}" has no start_time`, {
    hint: 'write it like "2018-06-01 18:00:00"',
  });
}

/** `2018_06_01_18_00_00`, as earth2mip names its output folders. */
export function folderTime(time: number): string {
  return formatTime(time).replace("Z", "").replace(/[-T:]/g, "_");
}
