// metadata.json, version 1: everything a package says about itself. It keeps the keys of earth2mip's `schema.Model` (entrypoint,
// architecture, n_history, grid, in_channels_names, out_channels_names, time_step) and adds what makes a package complete and
// checkable. One schema serves writing, reading and messages. Only the channels and the architecture must be there, so a persistence
// package is a few lines by hand. Not here: the other files of a package (write-package.ts) and what the keys become (contents.ts).

import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { parseDuration, parseTime } from "../core/time.js";
import { forcingSpecSchema } from "../datasets/forcings.js";
import { gridJsonSchema } from "../grid/json.js";
import { isInside } from "../io/remote/object-path.js";
import { strategies } from "../training/strategies/registry.js";
import { roles } from "../variables/roles.js";

/** Name of the file in a package. */
export const manifestName = "metadata.json";

/** The version of the format that this code writes, and the newest that it reads. */
export const schemaVersion = 1;

const duration = z
  .union([z.number(), z.string()])
  .refine(
    (value) => tryDuration(value) > 0,
    'not a duration longer than zero; write it like "PT6H", "6h" or 21600 (seconds)',
  );

const relativePath = z
  .string()
  .refine(isInside, 'not a path inside the package: write it relative, with "/", and without ".."');

const instant = z.string().refine((text) => {
  try {
    return Number.isFinite(parseTime(text));
  } catch {
    return false;
  }
}, 'not a time; write it like "2019-03-01T06:00:00Z"');

const numbersByName = z.record(z.string(), z.number());

const entrypoint = z.strictObject({
  name: z.string().describe('"module:function" that returns the model; brings code, so it needs trust'),
  kwargs: z.record(z.string(), z.unknown()).default({}),
});

const period = z.strictObject({ start: instant, end: instant });

const variable = z.strictObject({
  name: z.string().min(1),
  units: z.string().describe("CF spelling, of the physical values"),
  long_name: z.string(),
  role: z.enum(roles as readonly [(typeof roles)[number], ...(typeof roles)[number][]]).default("prognostic"),
  weight: z.number().default(1).describe("state weight in the losses"),
});

const normalisation = z.strictObject({
  means: numbersByName.describe("by variable, physical units; also of the forcings that are read"),
  stds: numbersByName,
  minimums: numbersByName.optional(),
  maximums: numbersByName.optional(),
  diff_means: numbersByName.default({}).describe("of one-step differences of normalised fields"),
  diff_stds: numbersByName.default({}),
});

/** Schema of metadata.json. Defaults are those of earth2mip, or what "not said" means. */
export const manifestSchema = z
  .strictObject({
    schema_version: z
      .int()
      .default(schemaVersion)
      .refine((v) => v === schemaVersion, `this Foehn reads version ${schemaVersion}; a newer one wrote this package`),
    name: z.string().optional(),
    version: z.string().default("0.0.0"),
    license: z.string().optional().describe("SPDX identifier of the weights' licence"),
    description: z.string().optional(),
    entrypoint: entrypoint.optional(),
    architecture_entrypoint: z.string().optional(),
    architecture: z.string().default("").describe("name of a network that Foehn knows, such as halfunet"),
    settings: z.record(z.string(), z.unknown()).default({}).describe("settings of the architecture"),
    plugins: z.array(z.string()).optional().describe("what brings the architecture or the strategy, if Foehn does not"),
    n_history: z.int().nonnegative().default(0).describe("past states besides the newest one"),
    grid: gridJsonSchema.default("720x1440"),
    in_channels_names: z.array(z.string()).min(1).describe("the prognostic variables"),
    out_channels_names: z
      .array(z.string())
      .optional()
      .describe("those of the input, then the diagnostic variables; default: those of the input"),
    time_step: duration.default("PT6H"),
    variables: z.array(variable).optional().describe("default: what the catalogue says about the channels"),
    normalisation: normalisation.optional().describe("default: none, the network works on physical values"),
    forcings: forcingSpecSchema.default({ variables: [], date: false, insolation: false }),
    statics: z.strictObject({ file: relativePath, names: z.array(z.string()) }).optional(),
    border_size: z.int().nonnegative().default(0),
    strategy: strategies.nameSchema().default("diff_ar"),
    strategy_settings: z.record(z.string(), z.unknown()).optional(),
    num_inter_steps: z.int().positive().default(1),
    mask_as_input: z.boolean().default(false).describe("the network is told which values exist, as its last feature"),
    periods: z
      .strictObject({ train: period, valid: period, test: period })
      .optional()
      .describe("both ends included; what the model has seen is not what it should be scored on"),
    weights: relativePath.optional().describe("safetensors file of the network's state dict"),
    climatology: z.strictObject({ file: relativePath }).optional().describe("time-mean fields of the training period"),
    files: z
      .record(relativePath, z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }))
      .optional()
      .describe("every other file of the package"),
    provenance: z.record(z.string(), z.unknown()).default({}),
  })
  .superRefine((manifest, context) => {
    const problem = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message, input: undefined });
    const channels = manifest.out_channels_names ?? manifest.in_channels_names;
    for (const list of ["in_channels_names", "out_channels_names"] as const) {
      const names = manifest[list] ?? [];
      const twice = names.findIndex((name, i) => names.indexOf(name) !== i);
      if (twice >= 0) problem([list, twice], `the channel "${names[twice]}" is listed twice`);
    }
    const prognostic = manifest.in_channels_names;
    if (channels.slice(0, prognostic.length).join() !== prognostic.join()) {
      problem(
        ["out_channels_names"],
        `must begin with in_channels_names (${prognostic.join(", ")}): Foehn steps a state forward, so what goes in comes out`,
      );
    }
    const described = manifest.variables?.map((v) => v.name);
    if (described && described.join() !== channels.join()) {
      problem(["variables"], `must describe the channels in their order (${channels.join(", ")})`);
    }
    for (const [i, { name, role }] of (manifest.variables ?? []).entries()) {
      const expected = prognostic.includes(name) ? "prognostic" : "diagnostic";
      if (role === expected) continue;
      const why = expected === "prognostic" ? "one of" : "not one of";
      problem(
        ["variables", i, "role"],
        `expected "${expected}", because ${name} is ${why} in_channels_names, got "${role}"`,
      );
    }
    for (const [kind, values] of Object.entries(manifest.normalisation ?? {})) {
      if (!values || (kind.startsWith("diff") && Object.keys(values).length === 0)) continue;
      const needed = kind.startsWith("diff") ? channels : [...channels, ...manifest.forcings.variables];
      const lacking = needed.filter((name) => !Object.hasOwn(values, name));
      if (lacking.length > 0) problem(["normalisation", kind], `lacks ${lacking.join(", ")}`);
    }
    for (const [name, std] of Object.entries(manifest.normalisation?.stds ?? {})) {
      // earth2mip ships a persistence model whose scale is zero: every output of it is NaN.
      if (!(std > 0)) problem(["normalisation", "stds", name], `expected a number above 0, got ${std}`);
    }
    const used = [manifest.weights, manifest.statics?.file, manifest.climatology?.file];
    for (const file of used) {
      if (file !== undefined && !Object.hasOwn(manifest.files ?? {}, file)) {
        problem(["files"], `lacks ${file}, so nobody can tell whether it is the right one`);
      }
    }
  });

/** A checked metadata.json. */
export type Manifest = z.infer<typeof manifestSchema>;

/**
 * Reads and checks a metadata.json.
 * @throws ConfigError with `file:line:col key: expected …, got …` for each problem
 */
export function readManifest(path: string): Manifest {
  return loadConfig(path, manifestSchema);
}

/** Seconds as an ISO 8601 duration, which earth2mip reads too: `PT6H`. */
export function isoDuration(seconds: number): string {
  if (seconds % 86_400 === 0) return `P${seconds / 86_400}D`;
  if (seconds % 3600 === 0) return `PT${seconds / 3600}H`;
  return seconds % 60 === 0 ? `PT${seconds / 60}M` : `PT${seconds}S`;
}

function tryDuration(value: string | number): number {
  try {
    return parseDuration(value);
  } catch {
    return Number.NaN;
  }
}
