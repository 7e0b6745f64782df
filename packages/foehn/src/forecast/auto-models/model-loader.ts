// The contract between an AutoModel and the file that loads it: files and options in, an open loop out. Not here: where the files come from
// (auto-model.ts).

import { ModelError } from "../../core/errors.js";
import type { PublishedModel } from "../../hub/catalogue.js";
import type { PackageFiles } from "../../hub/package-files.js";
import type { PrecisionName } from "../../training/precision.js";
import type { OpenLoop } from "../open-loop.js";

/** Options of `AutoModel.loadModel`. */
export interface LoadModelOptions {
  /** Default `cpu`. */
  readonly device?: string | undefined;
  /** Default `auto`: bf16 where the machine is fast at it and the model is one of Foehn's networks. */
  readonly precision?: PrecisionName | undefined;
  /** What a metadata.json says under `entrypoint.kwargs`, such as `time_step_hours`. */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined;
  /** What metadata.json says of the model, where the package has one. */
  readonly description?: ModelDescription | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Parts of a metadata.json that a loader may go by where its files do not say. */
export interface ModelDescription {
  readonly inChannelNames?: readonly string[] | undefined;
  /** As in metadata.json. */
  readonly grid?: unknown;
  /** Seconds. */
  readonly timeStep?: number | undefined;
}

/** Loads a model from files. */
export type ModelLoader = (
  files: PackageFiles,
  options: LoadModelOptions,
  published: PublishedModel,
) => Promise<OpenLoop>;

/** Checks `kwargs` of a loader. @throws ModelError for one that it does not know */
export function knownKwargs<K extends string>(
  options: LoadModelOptions,
  model: string,
  known: readonly K[],
): Readonly<Partial<Record<K, unknown>>> {
  const kwargs = options.kwargs ?? {};
  const other = Object.keys(kwargs).filter(
    (key) => !(known as readonly string[]).includes(key) && key !== "pretrained",
  );
  if (other.length === 0) return kwargs as Partial<Record<K, unknown>>;
  throw new ModelError(`the loader of ${model} takes no ${other.join(", ")}`, {
    where: "entrypoint.kwargs",
    hint: known.length === 0 ? "it takes none" : `it takes ${known.join(", ")}`,
  });
}
