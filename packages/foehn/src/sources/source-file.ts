// Source files: a YAML, TOML or JSON file that says where fields come from, what they are called there, and how several places are
// joined. It is opened like any other data (`--data sources.yaml`). Guide: docs/guides/sources.md.
//
//   combine:                                   # the first one that has a field gives it
//     - data: archive/*.grib
//     - data: https://example.org/winds.zarr
//       rename: { u10m: 10m_u, z500: { from: HGT_500, scale: 9.80665 } }
//   regrid: bilinear

import { dirname } from "node:path";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { ConfigError, InterruptedError, isFoehnError } from "../core/errors.js";
import { createLogger } from "../core/log.js";
import { parseTime } from "../core/time.js";
import { regridMethods } from "../grid/regrid/regridder.js";
import { type Adaptation, adaptSource } from "./adapted-source.js";
import { combine, fallback } from "./combine.js";
import { type OpenSourceOptions, openSource } from "./open.js";
import type { Source } from "./source.js";

const adaptationSchema = z.union([
  z.string().transform((from): Adaptation => ({ from })),
  z.strictObject({
    from: z.string().optional().describe("its name in the data; default the same"),
    scale: z.number().optional().describe("what values are multiplied by"),
    offset: z.number().optional().describe("what is added afterwards"),
    units: z
      .string()
      .optional()
      .describe("units of the result; without scale and offset, values are converted to them"),
  }),
]);

const timeText = z.union([z.string(), z.date().transform((date) => date.toISOString())]);

const entryKeys = {
  data: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe("file, folder, glob or address, or several; paths start at this file"),
  member: z.int().optional().describe("ensemble member"),
  run: timeText.optional().describe("initial time of the forecast to take"),
  arrays: z
    .array(z.string())
    .min(1)
    .optional()
    .describe("arrays of a Zarr store without consolidated metadata on a web server"),
  endpoint: z.string().optional().describe("address of an S3 service other than Amazon's"),
  anonymous: z.boolean().optional().describe("no keys are sent to S3"),
  profile: z.string().optional().describe("profile of the AWS configuration files"),
  regrid: z
    .enum(regridMethods as readonly ["select", "nearest", "bilinear", "conservative"])
    .optional()
    .describe("how fields of other grids get to that of the first source"),
  rename: z
    .record(z.string(), adaptationSchema)
    .optional()
    .describe("by the name that a variable shall have: what the data call it, its units"),
  variables: z.array(z.string()).min(1).optional().describe("the only variables to take"),
};

/** Data in one place, or several places that are joined; a text is data. */
export type SourceSpec = string | SourceEntry;

/** One of `data`, `combine` and `fallback`, with what else there is to say. */
export type SourceEntry = z.infer<z.ZodObject<typeof entryKeys>> & {
  readonly combine?: readonly SourceSpec[] | undefined;
  readonly fallback?: readonly SourceSpec[] | undefined;
};

const specsSchema: z.ZodType<SourceSpec[]> = z.lazy(() => z.array(z.union([z.string(), entrySchema])).min(1));

const entrySchema: z.ZodType<SourceEntry> = z
  .strictObject({
    combine: specsSchema.optional().describe("the first one that has a field gives it"),
    fallback: specsSchema.optional().describe("the next one is asked when one fails"),
    ...entryKeys,
  })
  .superRefine((entry, context) => {
    const kinds = (["data", "combine", "fallback"] as const).filter((key) => entry[key] !== undefined);
    if (kinds.length !== 1) {
      const found = kinds.length === 0 ? "none of them" : kinds.join(" and ");
      context.addIssue({ code: "custom", message: `expected one of data, combine and fallback, got ${found}` });
      return;
    }
    const foreign = kinds[0] === "data" ? ["regrid"] : ["member", "run", "arrays", "endpoint", "anonymous", "profile"];
    for (const key of foreign) {
      if (entry[key as keyof typeof entry] === undefined) continue;
      context.addIssue({ code: "custom", path: [key], message: `does not go with ${kinds[0]}` });
    }
  });

/** Schema of a source file. */
export const sourceFileSchema = entrySchema;

/**
 * Opens what a source file describes.
 * @throws ConfigError for a file that is wrong; as `openSource`, `combine` and `adaptSource` for what it names
 */
export async function openSourceFile(path: string, options: OpenSourceOptions = {}): Promise<Source> {
  return openSpec(loadConfig(path, sourceFileSchema), { ...options, cwd: dirname(path) }, path);
}

async function openSpec(spec: SourceSpec, options: OpenSourceOptions, file: string): Promise<Source> {
  if (typeof spec === "string") return openSource(spec, options);
  const opened = await openPlain(spec, options, file);
  const { rename, variables } = spec;
  if (!rename && !variables) return opened;
  try {
    return adaptSource(opened, { rename, variables });
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function openPlain(spec: SourceEntry, options: OpenSourceOptions, file: string): Promise<Source> {
  if (spec.fallback) return openFallback(spec, spec.fallback, options, file);
  if (spec.combine) {
    const sources: Source[] = [];
    try {
      for (const one of spec.combine)
        sources.push(await openSpec(inherit(one, spec), likeFirst(options, sources[0], spec), file));
      return combine(sources);
    } catch (error) {
      await closeAll(sources);
      throw error;
    }
  }
  const { data = [], member, run, arrays, endpoint, anonymous, profile } = spec;
  const remote = { ...options.remote, ...defined({ endpoint, anonymous, profile }) };
  return openSource(data, {
    ...options,
    remote,
    ...defined({ member, arrays, run: run === undefined ? undefined : parseTime(run) }),
  });
}

/** A source that cannot even be opened is passed over as well, as long as one can. */
async function openFallback(
  spec: SourceEntry,
  specs: readonly SourceSpec[],
  options: OpenSourceOptions,
  file: string,
): Promise<Source> {
  const log = createLogger();
  const sources: Source[] = [];
  const problems: Error[] = [];
  try {
    for (const one of specs) {
      try {
        sources.push(await openSpec(inherit(one, spec), likeFirst(options, sources[0], spec), file));
      } catch (error) {
        // A mistake in the file is not a failure of a source.
        if (!isFoehnError(error) || error instanceof ConfigError || error instanceof InterruptedError) throw error;
        problems.push(error);
      }
    }
    if (sources.length === 0) throw problems[0]!;
    for (const { message } of problems) log.warn(`a source is passed over: ${message}`);
    return fallback(sources, { log });
  } catch (error) {
    await closeAll(sources);
    throw error;
  }
}

/** Joins inside a join interpolate in the same way, unless they say otherwise. */
function inherit(inner: SourceSpec, { regrid }: SourceEntry): SourceSpec {
  if (typeof inner === "string" || inner.data !== undefined || regrid === undefined) return inner;
  return { ...inner, regrid: inner.regrid ?? regrid };
}

/** Whatever comes after the first source is brought to its grid: opening does that for grids of all kinds. */
function likeFirst(options: OpenSourceOptions, first: Source | undefined, { regrid }: SourceEntry): OpenSourceOptions {
  if (regrid === undefined || !first || options.regrid) return options;
  return { ...options, regrid: { to: first.grid, method: regrid } };
}

async function closeAll(sources: readonly Source[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}

/** The entries that are set. */
function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
