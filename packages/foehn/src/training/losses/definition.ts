// What a loss in the registry is: a name, settings, and a way to make it. A plugin defines its own in the same way.

import type { z } from "zod";
import type { Loss, LossContext } from "./loss.js";

/** A kind of loss. */
export interface LossDefinition<S = never> {
  /** As `--loss` and files spell it. */
  readonly name: string;
  /** Other spellings, such as PyTorch's class name. */
  readonly aliases?: readonly string[];
  /** One line for people. */
  readonly summary: string;
  /** Settings with their defaults. */
  readonly settings: z.ZodType<S>;
  /** True when it compares the network's own standard deviations too, where there are any (`output_std`). Default false. */
  readonly usesStd?: boolean;
  create(settings: S, context: LossContext): Loss;
}
