// Between a manifest and what the code works with: DatasetInfo (features, grid, statistics) and back.
// Not here: reading and writing files (model-package.ts, write-package.ts).

import { ConfigError } from "../core/errors.js";
import { formatTime, parseDuration, parseTime } from "../core/time.js";
import type { DatasetInfo, FeatureInfo, FeatureStats } from "../datasets/dataset.js";
import { modelFeatures } from "../datasets/features.js";
import { forcingNames } from "../datasets/forcings.js";
import type { SplitName } from "../datasets/periods.js";
import type { Statics } from "../datasets/statics.js";
import { borderMask } from "../grid/geometry.js";
import type { Grid } from "../grid/grid.js";
import { gridFromJson, gridToJson } from "../grid/json.js";
import type { PackageContents } from "../training/package-contents.js";
import { originsOf } from "../training/plugins.js";
import type { StrategySettings } from "../training/strategies/strategy.js";
import { lookupVariable } from "../variables/catalogue.js";
import { isoDuration, type Manifest, schemaVersion } from "./manifest.js";

/** Names of the files that Foehn writes into a package. */
export const packageFiles = {
  weights: "weights.safetensors",
  statics: "statics.safetensors",
  climatology: "climatology.safetensors",
} as const;

/** The manifest of a model, without the table of files. */
export function manifestOf(contents: PackageContents): Omit<Manifest, "files"> {
  const { info } = contents;
  const { prognostic, diagnostic } = modelFeatures(info);
  const plugins = originsOf(contents.architecture, contents.strategy);
  const pick = (stats: Readonly<Record<string, FeatureStats>>, key: keyof FeatureStats) =>
    Object.fromEntries(Object.entries(stats).map(([name, values]) => [name, values[key]]));
  return {
    schema_version: schemaVersion,
    name: contents.name,
    version: contents.version,
    architecture: contents.architecture,
    settings: { ...contents.settings },
    ...(plugins.length > 0 ? { plugins } : {}),
    n_history: contents.numInputSteps - 1,
    grid: gridToJson(info.grid),
    in_channels_names: [...prognostic],
    out_channels_names: [...prognostic, ...diagnostic],
    time_step: isoDuration(info.stepSeconds),
    variables: info.features.map(({ name, units, longName, role, weight }) => ({
      name,
      units,
      long_name: longName,
      role,
      weight,
    })),
    normalisation: {
      means: pick(info.stats, "mean"),
      stds: pick(info.stats, "std"),
      minimums: pick(info.stats, "min"),
      maximums: pick(info.stats, "max"),
      diff_means: pick(info.diffStats, "mean"),
      diff_stds: pick(info.diffStats, "std"),
    },
    forcings: info.forcing,
    ...(info.statics.names.length > 0
      ? { statics: { file: packageFiles.statics, names: [...info.statics.names] } }
      : {}),
    border_size: info.borderSize,
    strategy: contents.strategy,
    strategy_settings: { ...(contents.strategySettings ?? {}) },
    num_inter_steps: contents.numInterSteps,
    mask_as_input: contents.maskAsInput ?? false,
    output_std: contents.outputStd ?? false,
    ...(info.periods ? { periods: mapPeriods(info.periods, formatTime) } : {}),
    ...(contents.weights.size > 0 ? { weights: packageFiles.weights } : {}),
    ...(Object.keys(contents.climatology).length > 0 ? { climatology: { file: packageFiles.climatology } } : {}),
    provenance: { ...contents.provenance },
  };
}

/** The dataset that the manifest describes, without its static fields. @throws ConfigError for a channel of unknown units */
export function infoOf(manifest: Manifest, name: string): Omit<DatasetInfo, "statics"> {
  const { normalisation } = manifest;
  const channels = manifest.out_channels_names ?? manifest.in_channels_names;
  const statsOf = (
    means: Readonly<Record<string, number>>,
    stds: Readonly<Record<string, number>>,
    lows: Readonly<Record<string, number>> = {},
    highs: Readonly<Record<string, number>> = {},
  ): Record<string, FeatureStats> =>
    Object.fromEntries(
      [...channels, ...manifest.forcings.variables].map((feature) => [
        feature,
        {
          mean: means[feature] ?? 0,
          std: stds[feature] ?? 1,
          min: lows[feature] ?? Number.NaN,
          max: highs[feature] ?? Number.NaN,
        },
      ]),
    );
  return {
    name,
    grid: gridFromJson(manifest.grid),
    stepSeconds: parseDuration(manifest.time_step),
    features: manifest.variables
      ? manifest.variables.map(({ name, units, long_name, role, weight }) => ({
          name,
          units,
          longName: long_name,
          role,
          weight,
        }))
      : channels.map((channel) => describeChannel(channel, manifest.in_channels_names.includes(channel))),
    forcingNames: forcingNames(manifest.forcings),
    forcing: manifest.forcings,
    stats: statsOf(
      normalisation?.means ?? {},
      normalisation?.stds ?? {},
      normalisation?.minimums,
      normalisation?.maximums,
    ),
    diffStats: statsOf(normalisation?.diff_means ?? {}, normalisation?.diff_stds ?? {}),
    borderSize: manifest.border_size,
    ...(manifest.periods ? { periods: mapPeriods(manifest.periods, parseTime) } : {}),
  };
}

/** Settings of the strategy. Packages that say nothing of them were made before steps were interpolated. */
export function strategySettingsOf(manifest: Manifest): StrategySettings {
  if (manifest.strategy_settings !== undefined) return manifest.strategy_settings;
  return manifest.strategy === "scaled_ar" ? { compat: "py4cast" } : {};
}

/** The three periods with their ends in another form. */
function mapPeriods<A, B>(periods: Record<SplitName, { start: A; end: A }>, form: (time: A) => B) {
  const one = ({ start, end }: { start: A; end: A }) => ({ start: form(start), end: form(end) });
  return { train: one(periods.train), valid: one(periods.valid), test: one(periods.test) };
}

/** Static features of a grid from the field that the package keeps; the masks follow from the border's width. */
export function staticsOf(grid: Grid, borderSize: number, names: readonly string[], fields: Float32Array): Statics {
  const border = borderMask(grid.shape, borderSize);
  return { names, fields, borderMask: border, interiorMask: border.map((value) => 1 - value) };
}

/** What is known of a channel: by `variables` of metadata.json, or by the catalogue. @throws ConfigError when neither knows it */
export function describeChannel(name: string, isPrognostic: boolean, variables?: Manifest["variables"]): FeatureInfo {
  const said = variables?.find((variable) => variable.name === name);
  if (said) {
    const { units, long_name, role, weight } = said;
    return { name, units, longName: long_name, role, weight };
  }
  const known = lookupVariable(name);
  if (!known) {
    throw new ConfigError(`the package has the channel "${name}", which is not in Foehn's catalogue`, {
      hint: 'describe the channels under "variables" in metadata.json: name, units, long_name',
    });
  }
  return {
    name,
    units: known.units,
    longName: known.longName,
    role: isPrognostic ? "prognostic" : "diagnostic",
    weight: 1,
  };
}
