// Weights from a file into a network: a run, a checkpoint folder, a safetensors file, or what PyTorch and Lightning saved.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { ModelError, StorageError } from "../core/errors.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import type { Network } from "../models/network.js";
import { readStateDict } from "../models/state-dict-files.js";
import { readDatasetRecord } from "./dataset-record.js";
import { checkSameFeatures } from "./same-features.js";

/**
 * Checks that weights of a run were trained on the features of a dataset. Weights from elsewhere say nothing of features.
 * @param path as `loadWeights` takes it
 * @throws ConfigError with both sides
 */
export async function checkWeightsFit(path: string, info: DatasetInfo): Promise<void> {
  const run = [path, join(path, ".."), join(path, "..", "..")].find((folder) =>
    existsSync(join(folder, "dataset.json")),
  );
  if (run === undefined || !statSync(path).isDirectory()) return;
  checkSameFeatures((await readDatasetRecord(run)).info, info, {
    what: "the weights were trained on other features",
    where: path,
    hint: "to use them all the same, give their file, model.safetensors, instead of the folder",
  });
}

/**
 * Loads weights into a network, all of them or none.
 * @param path run folder (its best, else last checkpoint), checkpoint folder, `.safetensors`, `.pt`, `.pth` or `.ckpt`
 * @throws ModelError listing missing, unexpected and mis-shaped names
 */
export function loadWeights(network: Network, path: string): void {
  const file = weightsFile(path);
  const state = readStateDict(file, new Set(network.stateDict().keys()));
  try {
    network.loadStateDict(state);
  } catch (error) {
    throw new ModelError(error instanceof Error ? error.message : String(error), {
      where: file,
      hint: "the settings of the model, the variables and num_input_steps must be those the weights were trained with",
      cause: error,
    });
  } finally {
    for (const tensor of state.values()) tensor.dispose();
  }
}

function weightsFile(path: string): string {
  if (!existsSync(path))
    throw new StorageError(`no weights at ${path}`, { hint: "give a run folder, a checkpoint or a weights file" });
  if (!statSync(path).isDirectory()) return path;
  const candidates = ["model.safetensors", "checkpoints/best/model.safetensors", "checkpoints/last/model.safetensors"];
  const found = candidates.map((name) => join(path, name)).find((name) => existsSync(name));
  if (found !== undefined) return found;
  throw new StorageError(`${path} holds no weights: none of ${candidates.join(", ")}`, {
    hint: "give a run folder, a checkpoint or a weights file",
  });
}
