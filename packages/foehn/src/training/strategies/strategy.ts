// Strategy: how a network's output becomes the next state. One class per strategy; training/step.ts calls them in training
// and in forecasts alike. All states are normalised, (B, H, W, F).

import type { Tensor } from "@foehn/torch";
import { ConfigError } from "../../core/errors.js";

/** What a strategy must be able to work with. */
export interface StrategyOptions {
  readonly numInputSteps: number;
  /** Network calls per dataset step. */
  readonly numInterSteps: number;
}

/** Mean and standard deviation of one-dataset-step differences of normalised fields, (F). */
export interface DifferenceStats {
  readonly mean: Tensor;
  readonly std: Tensor;
}

/** Base class of strategies. */
export abstract class Strategy {
  abstract readonly name: string;
  /** True when the border of every new state is overwritten with a known state. */
  abstract readonly forcesBorder: boolean;

  /** The next state of the whole field from the last state and the network's output. */
  abstract update(lastState: Tensor, output: Tensor, differences: DifferenceStats): Tensor;

  /** @throws ConfigError when the options do not go together */
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
}
