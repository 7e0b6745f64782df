// metadata.json, version 1: everything a package says about itself. It keeps the keys of earth2mip's `schema.Model` (entrypoint,
// architecture, n_history, grid, in_channels_names, out_channels_names, time_step) and adds what makes a package complete and
// checkable. One schema serves writing, reading and messages. Only the channels and the architecture must be there, so a persistence
// package is a few lines by hand; an entrypoint brings its own channels. Older spellings of the channels become names (channels.ts).
// Not here: the other files of a package (write-package.ts) and what the keys become (contents.ts).

import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { didYouMean } from "../core/suggest.js";
import { parseDuration, parseTime } from "../core/time.js";
import { forcingSpecSchema } from "../datasets/forcings.js";
import { gridJsonSchema, gridNames } from "../grid/json.js";
import { isInside } from "../io/remote/object-path.js";
import { strategies } from "../training/strategies/registry.js";
import { channelSet, channelSetNames } from "../variables/channel-sets.js";
import { roles } from "../variables/roles.js";
import { channelNotes, defaultChannelSet, resolveChannels } from "./channels.js";

export { manifestName } from "./manifest-name.js";

/** The version of the format that this code writes, and the newest that it reads. */
export const schemaVersion = 1;

/** The grid of a package that says none: that of earth2mip. */
const defaultGrid = "720x1440";

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
  name: z
    .string()
    .default("")
    .describe('"module:function" (package, { device, ...kwargs }) → TimeLoop; brings code, so it needs trust'),
  kwargs: z.record(z.string(), z.unknown()).default({}),
});

const names = z.array(z.string().min(1)).min(1);
const positions = z.array(z.int().nonnegative()).min(1);

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
    entrypoint: entrypoint.nullish(),
    architecture_entrypoint: z
      .string()
      .nullish()
      .describe(
        '"module:function" (package, { pretrained, device }) → network or function; brings code, so it needs trust',
      ),
    architecture: z
      .string()
      .default("")
      .describe(
        'name of a network that Foehn knows, such as halfunet, or "onnx" or "torchscript" for a file in weights',
      ),
    settings: z.record(z.string(), z.unknown()).default({}).describe("settings of the architecture"),
    plugins: z.array(z.string()).optional().describe("what brings the architecture or the strategy, if Foehn does not"),
    n_history: z.int().nonnegative().default(0).describe("past states besides the newest one"),
    history_time_step: duration.optional().describe("between two of them; default: time_step"),
    grid: gridJsonSchema.default(defaultGrid),
    in_channels_names: names.optional().describe("the prognostic variables; needed unless an entrypoint brings them"),
    out_channels_names: names
      .optional()
      .describe("those of the input, then the diagnostic variables; default: those of the input"),
    in_channel_names: names.optional().describe("another spelling of in_channels_names"),
    out_channel_names: names.optional().describe("another spelling of out_channels_names"),
    in_channels: positions.optional().describe("positions in channel_set, as older packages of earth2mip have them"),
    out_channels: positions.optional().describe("the same for the outputs; default: those of the input"),
    channel_set: z
      .string()
      .refine(isChannelSet, `expected one of ${channelSetNames().join(", ")} (34var and var34 are the same)`)
      .optional()
      .describe(`what the positions count in; default ${defaultChannelSet}`),
    time_step: duration.default("PT6H"),
    variables: z.array(variable).optional().describe("default: what the catalogue says about the channels"),
    normalisation: normalisation.optional().describe("default: none, the network works on physical values"),
    forcings: forcingSpecSchema.default({ variables: [], date: false, insolation: false }),
    statics: z.strictObject({ file: relativePath, names: z.array(z.string()) }).optional(),
    border_size: z.int().nonnegative().default(0),
    strategy: strategies.nameSchema().default("diff_ar"),
    strategy_settings: z.record(z.string(), z.unknown()).optional(),
    diagnostic: z
      .strictObject({
        log_epsilon: z
          .number()
          .positive()
          .optional()
          .describe("e of outputs that are log(1 + y / e), as of precipitation"),
      })
      .optional()
      .describe("the network does not step through time: its outputs follow from the inputs at the same time"),
    num_inter_steps: z.int().positive().default(1),
    mask_as_input: z.boolean().default(false).describe("the network is told which values exist, as its last feature"),
    output_std: z
      .boolean()
      .default(false)
      .describe("the network gives a standard deviation beside each channel, before softplus: twice the channels"),
    periods: z
      .strictObject({ train: period, valid: period, test: period })
      .optional()
      .describe("both ends included; what the model has seen is not what it should be scored on"),
    weights: relativePath
      .optional()
      .describe("safetensors file of the network's state dict, or the ONNX or TorchScript file"),
    climatology: z.strictObject({ file: relativePath }).optional().describe("time-mean fields of the training period"),
    files: z
      .record(relativePath, z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }))
      .optional()
      .describe("every other file of the package"),
    provenance: z.record(z.string(), z.unknown()).default({}),
  })
  .superRefine((manifest, context) => {
    for (const [key, message] of resolveChannels(manifest).problems) {
      context.addIssue({ code: "custom", path: [key], message, input: undefined });
    }
  })
  .transform((manifest) => {
    const { inputs, outputs } = resolveChannels(manifest);
    const notes = channelNotes(manifest);
    return {
      ...manifest,
      ...(notes.length === 0 ? {} : { channel_notes: notes }),
      in_channels_names: inputs === undefined ? [] : [...inputs],
      ...(outputs === undefined ? {} : { out_channels_names: [...outputs] }),
    };
  })
  .superRefine((manifest, context) => {
    const problem = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message, input: undefined });
    const channels = manifest.out_channels_names ?? manifest.in_channels_names;
    if (typeof manifest.grid === "string" && !gridNames().includes(manifest.grid)) {
      const known = gridNames();
      problem(
        ["grid"],
        `expected a grid or one of ${known.join(", ")}, got "${manifest.grid}". ${didYouMean(manifest.grid, known)}`.trim(),
      );
    }
    if (manifest.in_channels_names.length === 0 && !manifest.entrypoint?.name) {
      problem(["in_channels_names"], "expected a list of the prognostic variables, but it is missing");
      return;
    }
    for (const list of ["in_channels_names", "out_channels_names"] as const) {
      const names = manifest[list] ?? [];
      const twice = names.findIndex((name, i) => names.indexOf(name) !== i);
      if (twice >= 0) problem([list, twice], `the channel "${names[twice]}" is listed twice`);
    }
    const prognostic = manifest.in_channels_names;
    if (
      !bringsModule(manifest) &&
      !manifest.diagnostic &&
      channels.slice(0, prognostic.length).join() !== prognostic.join()
    ) {
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
      // A file that is run as it is has its format to check it; a state dict has nothing.
      if (manifest.files === undefined && bringsModule(manifest)) continue;
      if (file !== undefined && !Object.hasOwn(manifest.files ?? {}, file)) {
        problem(["files"], `lacks ${file}, so nobody can tell whether it is the right one`);
      }
    }
  });

/** Words in `architecture` for a model that is one file, not a network of Foehn's. */
export const fileArchitectures = ["onnx", "torchscript"] as const;

/** True where the model is code or a file of its own: then its inputs and outputs may be any channels. */
function bringsModule(manifest: {
  readonly architecture: string;
  readonly entrypoint?: { readonly name: string } | null | undefined;
  readonly architecture_entrypoint?: string | null | undefined;
}): boolean {
  const { architecture, entrypoint, architecture_entrypoint } = manifest;
  return (
    Boolean(entrypoint?.name || architecture_entrypoint) ||
    (fileArchitectures as readonly string[]).includes(architecture.toLowerCase())
  );
}

/**
 * A checked metadata.json. `in_channels_names` and `out_channels_names` hold what all spellings came to, and `channel_notes` what people
 * should know of that.
 */
export type Manifest = z.infer<typeof manifestSchema>;

/** The grid that a metadata.json gives; undefined where it leaves it to the loader of a published model, which knows better than the default. */
export function saidGrid(manifest: Pick<Manifest, "grid">): Manifest["grid"] | undefined {
  return manifest.grid === defaultGrid ? undefined : manifest.grid;
}

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

function isChannelSet(name: string): boolean {
  try {
    return channelSet(name).length > 0;
  } catch {
    return false;
  }
}

function tryDuration(value: string | number): number {
  try {
    return parseDuration(value);
  } catch {
    return Number.NaN;
  }
}
