// A model opened on the data that it starts from: what `foehn ensemble` and `foehn lagged` need of a package, in one place.
// Not here: which dates and members, and where the forecasts go.

import type { RegridSpec } from "../sources/regrid-source.js";
import type { Source } from "../sources/source.js";
import { forecastProvenance, modelOptions, onGridOf, outputVariables, type RunOptions } from "./forecast.js";
import { type StateReader, stateReader } from "./initial-state.js";
import { openModelPackage } from "./loop-package.js";
import { type DataSpec, withData } from "./open-data.js";
import { initialFeatures, type OpenLoop, openLoop } from "./open-loop.js";
import type { OutputVariable } from "./outputs/output.js";
import { PersistenceLoop } from "./persistence-loop.js";
import { channelStds } from "./perturbations/perturbation.js";

/** Everything that a rollout takes from a model and its data. */
export interface ModelOnData {
  readonly name: string;
  readonly loop: OpenLoop;
  readonly reader: StateReader;
  readonly variables: readonly OutputVariable[];
  /** Of the loop's `inChannelNames`. */
  readonly channelStds: readonly number[];
  readonly provenance: Readonly<Record<string, string>>;
  /** Lines for people. */
  readonly notes: readonly string[];
}

/** What opens a model: the options of a run, and the data to start from. */
export interface ModelOptions extends RunOptions {
  /** Closed afterwards only when it was opened here. */
  readonly source: DataSpec;
  /** Brings the data, and those of the border, to the model's grid. Default: they must have its points. */
  readonly regrid?: RegridSpec | undefined;
}

/**
 * Runs `fn` with a model on its data, and frees both afterwards.
 * @throws as `openPackage`, `openSource`, `openLoop` and `stateReader`
 */
export async function withModel<T>(
  options: ModelOptions,
  fn: (model: ModelOnData, source: Source) => Promise<T>,
): Promise<T> {
  const { package: given, device, precision } = options;
  const pkg = await openModelPackage(given, modelOptions(options));
  const info = await pkg.info();
  const regrid = options.regrid && { to: info.grid, ...options.regrid };
  const use = async (source: Source): Promise<T> => {
    const borderSource = await onGridOf(options.borderSource, regrid);
    const reader = stateReader(source, initialFeatures(pkg, info), info.grid);
    using loop = await openLoop(pkg, {
      ...(device === undefined ? {} : { device }),
      ...(precision === undefined ? {} : { precision }),
      forcingSource: source,
      borderSource,
    });
    const model = {
      name: pkg.name,
      loop,
      reader,
      variables: outputVariables(info.features),
      channelStds: channelStds(loop.inChannelNames, info, pkg.manifest.normalisation !== undefined),
      provenance: forecastProvenance(pkg, source, loop, options),
      notes: loop.notes,
    };
    return await fn(model, source);
  };
  return withData(options.source, { ...options, regrid }, use);
}

/** Persistence of what a source has, on its own grid. @param names default: all that vary with time */
export function persistenceOnData(source: Source, stepSeconds: number, names?: readonly string[]): ModelOnData {
  const variables = source.variables.filter((v) => (names ? names.includes(v.name) : v.invariant !== true));
  const wanted = names?.map((name) => variables.find((v) => v.name === name) ?? { name, units: "1", longName: name });
  const features = wanted ?? variables;
  const reader = stateReader(source, features, source.grid);
  const loop = new PersistenceLoop({ features, grid: source.grid, stepSeconds });
  return {
    name: "persistence",
    loop,
    reader,
    variables: features,
    channelStds: channelStds(loop.inChannelNames, { stats: {} }, false),
    provenance: { title: "Persistence", initial_conditions: source.description },
    notes: loop.notes,
  };
}
