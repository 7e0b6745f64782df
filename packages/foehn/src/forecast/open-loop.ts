// A package as a TimeLoop.

import type { Package } from "../hub/package.js";
import { networks } from "../models/registry.js";
import { Persistence } from "../models/zoo/persistence.js";
import { Inference, type InferenceOptions } from "./inference.js";
import { PersistenceLoop } from "./persistence-loop.js";
import type { TimeLoop } from "./time-loop.js";

/** A loop that holds memory. */
export interface OpenLoop extends TimeLoop, Disposable {
  /** Arithmetic of the network, for the record. */
  readonly precision: string;
}

/**
 * Opens a package for forecasting. A persistence package needs no network: its forecast is exactly the initial condition.
 * @throws as `Package.network` and `Inference`
 */
export async function openLoop(pkg: Package, options: InferenceOptions = {}): Promise<OpenLoop> {
  // With scaled_ar a network that answers zeros adds the mean change of each step: that is not persistence.
  const { architecture, entrypoint, architecture_entrypoint } = pkg.manifest;
  const hasCode = Boolean(entrypoint?.name || architecture_entrypoint);
  if (!hasCode && architecture && networks.get(architecture) === Persistence && pkg.strategy === "diff_ar") {
    return Object.assign(new PersistenceLoop(await pkg.info()), { precision: "fp32" });
  }
  return Inference.fromPackage(pkg, options);
}
