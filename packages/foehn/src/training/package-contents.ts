// What a trained model is made of, before it becomes a folder: the hand-over from training to hub/write-package.ts.

import type { Tensor } from "@foehn/torch";
import type { DatasetInfo } from "../datasets/dataset.js";
import type { NetworkSettings } from "../models/network.js";
import type { StrategySettings } from "./strategies/strategy.js";

/** Everything that a package holds. */
export interface PackageContents {
  readonly name: string;
  readonly version: string;
  /** Name of the network in the registry, e.g. `halfunet`. */
  readonly architecture: string;
  readonly settings: NetworkSettings;
  /** The network's state dict. */
  readonly weights: Map<string, Tensor>;
  /** Name of a registered strategy. */
  readonly strategy: string;
  readonly strategySettings?: StrategySettings | undefined;
  readonly numInputSteps: number;
  readonly numInterSteps: number;
  /** True when the network is told which values exist. Default false. */
  readonly maskAsInput?: boolean | undefined;
  /** True when the network gives a standard deviation beside each feature. Default false. */
  readonly outputStd?: boolean | undefined;
  readonly info: DatasetInfo;
  /** By feature: time-mean field of the training period, physical units, (H, W). */
  readonly climatology: Record<string, Float32Array>;
  /** Dataset, run, git state, versions: plain JSON. */
  readonly provenance: Readonly<Record<string, unknown>>;
}
