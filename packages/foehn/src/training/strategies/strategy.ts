// Strategy: what goes into a network and how its output becomes the next state. One class per strategy, in a registry;
// training/step.ts calls them in training and in forecasts alike. All values are normalised. Not here: diagnostic features, which
// come out of the network as they are, whatever the strategy.

import type { Tensor } from "@foehn/torch";
import type { z } from "zod";
import { ConfigError } from "../../core/errors.js";
import type { ModelFeatures } from "../../datasets/features.js";

/** What a strategy must be able to work with. */
export interface StrategyOptions {
  readonly numInputSteps: number;
  /** Network calls per dataset step. */
  readonly numInterSteps: number;
}

/** Mean and standard deviation of one-dataset-step differences of normalised prognostic fields, (F). */
export interface DifferenceStats {
  readonly mean: Tensor;
  readonly std: Tensor;
}

/** Parts of a network's input. `mask` is there only where a model is told which values exist. */
export type InputPart = "states" | "statics" | "forcing" | "mask";

/** One call of the network. All tensors are (B, H, W, F), or (B, N, F) in a graph network's layout. */
export interface StateUpdate {
  /** Prognostic features of the newest state; undefined in the forecast of a strategy that takes no states. */
  readonly lastState: Tensor | undefined;
  /** Prognostic part of the network's output. */
  readonly output: Tensor;
  /** What the network got as forcing. */
  readonly forcing: Tensor;
  readonly differences: DifferenceStats;
  readonly features: ModelFeatures;
}

/** Settings of a strategy as they stand in a file: snake_case keys, JSON values. */
export type StrategySettings = Readonly<Record<string, unknown>>;

/** Base class of strategies. A subclass has the static members of `StrategyClass`. */
export abstract class Strategy<S extends StrategySettings = StrategySettings> {
  /** The parts of the network's input, in the order in which they are joined. */
  readonly inputParts: readonly InputPart[] = ["states", "statics", "forcing", "mask"];
  /** True when the border of every new state is overwritten with a known state. */
  abstract readonly forcesBorder: boolean;
  /** True when border and forcing move within a dataset step that takes several network calls; false: those of its end, always. */
  readonly interpolatesInterSteps: boolean = false;

  /** @param settings checked by the class's schema */
  constructor(readonly settings: S) {}

  /** The name it is registered under. */
  get name(): string {
    return (this.constructor as unknown as StrategyClass).strategyName;
  }

  /** Whether past states are part of the network's input. */
  get usesStates(): boolean {
    return this.inputParts.includes("states");
  }

  /** The next state of the whole field. */
  abstract update(input: StateUpdate): Tensor;

  /**
   * Standard deviations of the next state from those in units of the network's output, both (…, Fp); for networks with `output_std`.
   * Default: unchanged, which is right where `update` adds the output as it is.
   */
  scaleStd(std: Tensor, _differences: DifferenceStats): Tensor {
    return std;
  }

  /** Before the data are opened. @throws ConfigError when the options do not go together */
  check({ numInputSteps, numInterSteps }: StrategyOptions): void {
    if (!Number.isInteger(numInputSteps) || numInputSteps < 1) {
      throw new ConfigError(`num_input_steps is ${numInputSteps}; it must be 1 or more`);
    }
    if (!Number.isInteger(numInterSteps) || numInterSteps < 1) {
      throw new ConfigError(`num_inter_steps is ${numInterSteps}; it must be 1 or more`);
    }
    if (numInterSteps > 1 && numInputSteps > 1) {
      throw new ConfigError(`num_inter_steps ${numInterSteps} does not go with num_input_steps ${numInputSteps}`, {
        hint: "past states are a dataset step apart, intermediary ones are not: use num_input_steps 1",
      });
    }
  }

  /** Once the data are known. @throws ConfigError when the features are not what the strategy needs */
  checkFeatures(_features: ModelFeatures): void {}

  /** For strategies without intermediary steps. @throws ConfigError */
  protected refuseInterSteps(numInterSteps: number): void {
    if (numInterSteps === 1) return;
    throw new ConfigError(`strategy ${this.name} has no intermediary steps, got num_inter_steps ${numInterSteps}`, {
      hint: "use num_inter_steps 1, or the strategy scaled_ar",
    });
  }
}

/** A strategy's class: what the registry holds. */
export interface StrategyClass<S extends StrategySettings = StrategySettings> {
  /** Name in `--strategy` and in `metadata.json`. */
  readonly strategyName: string;
  /** Half a sentence for listings. */
  readonly summary: string;
  /** Schema of the settings; every key has a default or is optional, unknown keys are refused. */
  readonly settings: z.ZodType<S>;
  new (settings: S): Strategy<S>;
}
