// Perturbation: what makes the members of an ensemble differ at their initial time. The contract, and what all of them need: which
// channels, and how strongly in physical units. Implementations are beside this file, by name in registry.ts.
// A result depends on seed, initial time and member only, never on how rows are grouped into batches, shards or processes.

import type { Tensor } from "@foehn/torch";
import { DataError, UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { DatasetInfo } from "../../datasets/dataset.js";
import { typicalStandardDeviation } from "../../variables/standard-deviations.js";
import type { TimeLoop } from "../time-loop.js";

/** What one row of a batch is. */
export interface PerturbationRow {
  /** Initial time, epoch seconds UTC. */
  readonly time: number;
  /** 0 is the control, which stays as it is. */
  readonly member: number;
}

/** What a perturbation may use. */
export interface PerturbationContext {
  readonly loop: TimeLoop;
  /** Standard deviation of each of the loop's `inChannelNames`, physical units; NaN where nobody knows it. See {@link channelStds}. */
  readonly channelStds: readonly number[];
  /** The unperturbed initial state of another time, (1, history, channels, Y, X): for lagged members. The caller disposes it. */
  readonly readState?: ((time: number) => Promise<Tensor>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Makes members of initial states. */
export interface Perturbation {
  /** One line for people and for files: kind, amplitude, seed. */
  readonly description: string;
  /**
   * @param x (rows, history, channels, Y, X), physical units; it is not changed
   * @param rows what each row is
   * @returns a new tensor of the same shape, which the caller disposes
   * @throws UsageError for channels that the model does not have; DataError for channels of unknown variability
   */
  perturb(x: Tensor, rows: readonly PerturbationRow[], context: PerturbationContext): Promise<Tensor>;
}

/** Channels and strength of a perturbation. */
export interface Strength {
  /** In standard deviations of each channel. */
  readonly amplitude: number;
  /** Default: all. */
  readonly channels?: readonly string[] | undefined;
}

/** A channel to perturb. */
export interface ScaledChannel {
  readonly name: string;
  /** Place in the loop's `inChannelNames`. */
  readonly index: number;
  /** Amplitude in physical units. */
  readonly scale: number;
}

/**
 * The channels that a perturbation changes.
 * @throws UsageError for a channel that the model does not start from; DataError for one whose variability is not known
 */
export function scaledChannels(
  { amplitude, channels }: Strength,
  { loop, channelStds }: Pick<PerturbationContext, "loop" | "channelStds">,
): ScaledChannel[] {
  const names = loop.inChannelNames;
  const chosen = (channels ?? names).map((name) => {
    const index = names.indexOf(name);
    if (index >= 0) return { name, index, scale: amplitude * channelStds[index]! };
    throw new UsageError(`the model does not start from "${name}", so it cannot be perturbed`, {
      hint: didYouMean(name, names) || `its input channels are ${names.join(", ")}`,
    });
  });
  const unknown = chosen.filter(({ scale }) => !Number.isFinite(scale)).map(({ name }) => name);
  if (unknown.length === 0) return chosen;
  throw new DataError(`nobody knows how much ${unknown.join(", ")} varies, so noise cannot be scaled for it`, {
    hint: "give the package a normalisation (stds in metadata.json), or name the channels to perturb (perturbation_channels)",
  });
}

/**
 * Standard deviations of channels: the package's normalisation where it has one, else what is typical of the variable.
 * @param normalised whether `info.stats` come from data; a package without normalisation has ones there
 */
export function channelStds(names: readonly string[], info: Pick<DatasetInfo, "stats">, normalised: boolean): number[] {
  return names.map((name) => (normalised ? info.stats[name]?.std : typicalStandardDeviation(name)) ?? Number.NaN);
}
