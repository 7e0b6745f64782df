// The last act of training: a run folder becomes a package.

import { type InferenceModelOptions, inferenceModel } from "../training/inference-model.js";
import type { TrainResult } from "../training/train.js";
import { type WritePackageOptions, writePackage } from "./write-package.js";

/** Options of `packageRun`. */
export interface PackageRunOptions extends InferenceModelOptions, WritePackageOptions {}

/**
 * Packages the best checkpoint of a run (or the one asked for).
 * @param run what `train` returned, or a run folder
 * @returns the absolute path of the package
 * @throws StorageError when the folder is no run; otherwise as `writePackage`
 */
export async function packageRun(
  run: TrainResult | string,
  directory: string,
  options: PackageRunOptions = {},
): Promise<string> {
  const contents = await inferenceModel(run, options);
  try {
    return await writePackage(directory, contents, options);
  } finally {
    for (const tensor of contents.weights.values()) tensor.dispose();
  }
}
