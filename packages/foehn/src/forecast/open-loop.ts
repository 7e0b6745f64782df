// A package as a TimeLoop, and what it starts from.

import { ConfigError } from "../core/errors.js";
import type { DatasetInfo, FeatureInfo } from "../datasets/dataset.js";
import { prognosticFeatures } from "../datasets/features.js";
import type { ModelPackage } from "../hub/model-package.js";
import { networks } from "../models/registry.js";
import { Persistence } from "../models/zoo/persistence.js";
import { createStrategy } from "../training/strategies/registry.js";
import { givesNoStd, Inference, type InferenceOptions } from "./inference.js";
import { PersistenceLoop } from "./persistence-loop.js";
import type { TimeLoop } from "./time-loop.js";

/** A loop that holds memory. */
export interface OpenLoop<R = unknown> extends TimeLoop<R>, Disposable {
  /** Arithmetic of the network, for the record. */
  readonly precision: string;
  /** Lines for people: what is interpolated, what is left free. */
  readonly notes: readonly string[];
}

/** A package whose model is no network of Foehn's (loop-package.ts): it brings its loop. */
export interface LoopPackage extends ModelPackage {
  readonly initialFeatures: readonly FeatureInfo[];
  openLoop(options: InferenceOptions): Promise<OpenLoop>;
}

const bringsLoop = (pkg: ModelPackage): pkg is LoopPackage => "openLoop" in pkg;

/** The features whose initial fields a package's forecast needs, in the order of its loop's `inChannelNames`. */
export function initialFeatures(pkg: ModelPackage, info: DatasetInfo): FeatureInfo[] {
  if (bringsLoop(pkg)) return [...pkg.initialFeatures];
  if (isPersistence(pkg)) return [...info.features];
  return createStrategy(pkg.strategy, pkg.strategySettings).usesStates ? prognosticFeatures(info) : [];
}

/**
 * Opens a package for forecasting. A persistence package needs no network: its forecast is exactly the initial condition.
 * @throws as `ModelPackage.network` and `Inference`
 */
export async function openLoop(pkg: ModelPackage, options: InferenceOptions = {}): Promise<OpenLoop> {
  if (pkg.manifest.diagnostic) {
    throw new ConfigError(`the package ${pkg.path} is a diagnostic: it does not step through time`, {
      hint: "append it to the forecast of another model: --diagnostic <package>",
    });
  }
  if (options.outputStd && !pkg.outputStd) throw givesNoStd(pkg.name);
  if (bringsLoop(pkg)) return pkg.openLoop(options);
  if (!isPersistence(pkg)) return Inference.fromPackage(pkg, options);
  return new PersistenceLoop(await pkg.info());
}

// With scaled_ar a network that answers zeros adds the mean change of each step: that is not persistence.
function isPersistence({ manifest, strategy, outputStd }: ModelPackage): boolean {
  const { architecture, entrypoint } = manifest;
  return (
    !entrypoint?.name &&
    architecture !== "" &&
    networks.has(architecture) &&
    networks.get(architecture) === Persistence &&
    strategy === "diff_ar" &&
    !outputStd
  );
}
