// A model that is ready to run, with what verbs need to know of it: its channels with units, a name for records, and the package that Foehn made
// of it, if it is one of those. Not here: opening (get-model.ts).

import type { DatasetInfo, FeatureInfo } from "../datasets/dataset.js";
import { describeChannel } from "../hub/contents.js";
import type { ModelPackage } from "../hub/model-package.js";
import { stdFeatures } from "../training/output-std.js";
import { initialFeatures, type OpenLoop } from "./open-loop.js";
import type { TimeLoop } from "./time-loop.js";
import { descriptionOf } from "./time-stepper.js";

/** What is known of a model besides its loop. */
export interface ModelDetails {
  /** For records and titles. */
  readonly name: string;
  readonly version: string;
  /** What it is: a network's name, `pangu`, `onnx`, `code`. */
  readonly architecture: string;
  /** The package of a model that Foehn trained, with its statistics, climatology and periods; undefined for others. */
  readonly package?: ModelPackage | undefined;
}

/** An open model: a loop that holds memory. Dispose it. */
export interface OpenModel<R = unknown> extends OpenLoop<R>, ModelDetails {
  /**
   * The outputs with their units, in the order of `outChannelNames`.
   * @throws ConfigError for a channel that is in no catalogue and that metadata.json does not describe
   */
  features(): Promise<readonly FeatureInfo[]>;
  /** The same for `inChannelNames`. */
  initialFeatures(): Promise<readonly FeatureInfo[]>;
}

/** The features that a loop of a trained package gives: the package's, and their standard deviations where it gives those too. */
export function outputFeatures(
  { features }: Pick<DatasetInfo, "features">,
  outChannelNames: readonly string[],
): readonly FeatureInfo[] {
  return outChannelNames.length > features.length ? [...features, ...stdFeatures(features)] : features;
}

/** A loop with its details. */
export function openModel<R>(
  loop: OpenLoop<R> | TimeLoop<R>,
  details: ModelDetails,
  notes: readonly string[],
): OpenModel<R> {
  const described = descriptionOf(loop);
  const { package: trained } = details;
  const byName = (names: readonly string[]) => async (): Promise<readonly FeatureInfo[]> =>
    names.map((name) => describeChannel(name, loop.inChannelNames.includes(name), trained?.manifest.variables));
  return {
    ...described,
    ...details,
    precision: loop.precision ?? "fp32",
    notes: [...new Set([...notes, ...(loop.notes ?? [])])],
    stepper: loop.stepper,
    run: (time, x, restart) => loop.run(time, x, restart),
    features:
      trained === undefined
        ? byName(loop.outChannelNames)
        : async () => outputFeatures(await trained.info(), loop.outChannelNames),
    initialFeatures:
      trained === undefined ? byName(loop.inChannelNames) : async () => initialFeatures(trained, await trained.info()),
    [Symbol.dispose]: () => (loop as Partial<Disposable>)[Symbol.dispose]?.(),
  };
}
