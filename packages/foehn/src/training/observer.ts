// Observers look at every prediction of a validation or test beside its target and, at the end of the pass, report numbers, figures
// and files (py4cast's ErrorObserver). This is the contract and the registry; those that draw are in plots/observers/, the
// machinery that calls them and writes what they report is observer-pass.ts.
//
// A new observer is one function:
//
//     observers.register({
//       name: "largest_error",
//       summary: "the largest error of each pass, normalised",
//       create: () => {
//         let largest = 0;
//         return {
//           update: ({ prediction, target }) => {
//             largest = Math.max(largest, prediction.tensor.sub(target.tensor).abs().max().item());
//           },
//           finish: (report) => report.scalar("largest_error", largest),
//         };
//       },
//     });

import type { Tensor } from "@foehn/torch";
import type { z } from "zod";
import { validateSettings } from "../core/config.js";
import { ConfigError } from "../core/errors.js";
import { Registry } from "../core/registry.js";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import type { NamedTensor } from "../tensor/named-tensor.js";
import type { ErrorSums } from "./error-sums.js";

/** Which samples a pass goes over. The word begins tags and names folders: `val_mae/t2m/lead_1`, `figures/val/`. */
export type ObserverPhase = "val" | "test";

/** What is the same for all batches of a pass. */
export interface PassInfo {
  readonly phase: ObserverPhase;
  readonly info: DatasetInfo;
  /** Hours after the initial state of each predicted step, ascending; its length is T. */
  readonly leadHours: readonly number[];
  /** Number of samples the pass will show. */
  readonly numSamples: number;
  /** (H, W, 1): 1 inside, 0 on the border; on the device of the predictions. */
  readonly interiorMask: Tensor;
  /** By feature, (H, W), physical units: time means of the training period. Empty where a pass has none. */
  readonly climatology: Readonly<Record<string, Float32Array>>;
  /** Epochs and optimiser steps that the weights have seen. */
  readonly epoch: number;
  readonly step: number;
}

/** One batch as observers see it. The tensors are freed after `update`: keep sums, not batches. */
export interface ObservedBatch {
  readonly pass: PassInfo;
  /** (B, T, H, W, F), normalised, float32, without gradient; always on the grid, also for graph networks. */
  readonly prediction: NamedTensor;
  /** The truth, with the same dimensions and features. */
  readonly target: NamedTensor;
  /** 1 where the target exists, same shape; left out when it exists everywhere. */
  readonly mask?: NamedTensor | undefined;
  /** Inputs, forcings and times of the samples. */
  readonly batch: ItemBatch;
  /** Number of this batch, from 0. */
  readonly index: number;
  /** Number of its first sample, from 0. */
  readonly firstSample: number;
}

/** Where an observer puts its results at the end of a pass. */
export interface ObserverReport {
  readonly pass: PassInfo;
  /** Errors of the pass by feature and lead, pooled over samples and interior points. */
  readonly errors: ErrorSums;
  /** The same for the forecast that repeats the last input state; only in a test. */
  readonly persistence: ErrorSums | undefined;
  /** False when no figure is due in this pass: `figure` then does nothing. */
  readonly draws: boolean;
  /** A number for metrics.jsonl and the trackers, such as `mae/t2m/lead_1`; the phase is put before the tag. */
  scalar(tag: string, value: number): void;
  /**
   * A picture for the run folder and the trackers.
   * @param file its name, ending in .png or .gif: `rmse.png`; folders in it are made
   * @param draw gives the bytes; when it throws, the figure is left out with a warning
   */
  figure(file: string, draw: () => Uint8Array | Promise<Uint8Array>): Promise<void>;
  /** Numbers as JSON beside the figures. */
  json(file: string, value: unknown): Promise<void>;
}

/** Watches one pass: made when it begins, thrown away when it ends. What it throws ends its part, never the training. */
export interface ErrorObserver {
  /** Called for every batch, without gradients and inside a scope: take tensors that must stay out of it with `torch.keep`. */
  update(observed: ObservedBatch): void;
  /** Called once, after the last batch. */
  finish(report: ObserverReport): void | Promise<void>;
  /** Frees what it keeps; called at the end, whatever the end. */
  dispose?(): void;
}

/** An observer as the registry knows it. */
export interface ObserverDefinition<S = unknown> {
  /** As in `--observers`: lower case, with underscores. */
  readonly name: string;
  /** One line for people, without a full stop. */
  readonly summary: string;
  /** Schema of its settings; without one it takes none. */
  readonly settings?: z.ZodType<S>;
  /** True for one that is cheap and reports numbers in every validation; others are only asked when figures are due. */
  readonly everyPass?: boolean;
  /** Makes a fresh observer for a pass. */
  create(pass: PassInfo, settings: S): ErrorObserver | Promise<ErrorObserver>;
}

/** A definition whose settings have been checked. */
export interface ChosenObserver {
  readonly name: string;
  readonly everyPass: boolean;
  create(pass: PassInfo): Promise<ErrorObserver>;
}

/** Settings by observer, as they stand in files: `{ prediction: { num_samples: 2 } }`. */
export type ObserverSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Names that stand for every observer, and for nothing. */
const groups = ["all", "none"];

/** Observers by name. */
export class ObserverRegistry extends Registry<ObserverDefinition> {
  constructor() {
    super({
      one: "observer",
      many: "observers",
      names: ({ name }) => [name],
      describe: ({ summary }) => `"${summary}"`,
    });
  }

  /** Adds one. @throws ConfigError when another has its name, or the name stands for several */
  override register<S>(definition: ObserverDefinition<S>, origin?: string): void {
    if (groups.includes(definition.name)) {
      throw new ConfigError(
        `no observer can be called "${definition.name}": that word stands for ${definition.name === "all" ? "every one" : "no observer"}`,
      );
    }
    // Only `choose` calls `create`, with settings that this definition's own schema has checked.
    super.register(definition as unknown as ObserverDefinition, origin);
  }

  /** All definitions, by name. */
  override list(): ObserverDefinition[] {
    return super.list().sort((a, b) => a.name.localeCompare(b.name));
  }

  /**
   * The observers of a list of names, in its order, each once. `all` stands for every one, `none` for nothing.
   * @throws UsageError for an unknown name, with the nearest ones; ConfigError for settings that do not fit
   */
  choose(names: readonly string[], settings: ObserverSettings = {}): ChosenObserver[] {
    for (const name of Object.keys(settings)) this.get(name);
    const wanted = names.flatMap((name) =>
      name === "all" ? this.list().map((known) => known.name) : name === "none" ? [] : [name],
    );
    return [...new Set(wanted)].map((name) => {
      const definition = this.get(name);
      const checked = checkSettings(definition, settings[name]);
      return {
        name,
        everyPass: definition.everyPass ?? false,
        create: async (pass) => definition.create(pass, checked),
      };
    });
  }
}

function checkSettings(definition: ObserverDefinition, given: ObserverSettings[string] | undefined): unknown {
  const where = `settings of the observer ${definition.name}`;
  if (definition.settings !== undefined) return validateSettings(definition.settings, given ?? {}, where);
  if (given === undefined || Object.keys(given).length === 0) return {};
  throw new ConfigError(`${where}: it has none, got ${JSON.stringify(given)}`);
}

/** The registry that training and the command line use. Those that draw are added by plots/observers/builtin.ts. */
export const observers = new ObserverRegistry();
