// Optimisers by the names of `--optimizer`: their own settings as schemas, and the groups of parameters they decay or spare.

import { optim } from "@foehn/torch";
import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { ConfigError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { Network } from "../models/network.js";
import type { TrainOptions } from "./options.js";

/** What training needs of an optimiser. */
export type Optimizer = Pick<
  optim.Optimizer<optim.GroupSettings>,
  "paramGroups" | "step" | "zeroGrad" | "stateDict" | "loadStateDict" | "dispose"
>;

/** Settings in the spelling of files. */
type Settings = Readonly<Record<string, unknown>>;

interface Kind {
  /** Settings besides lr, weight_decay and betas, with PyTorch's names and defaults. */
  readonly settings: z.ZodType<Settings>;
  readonly hasBetas: boolean;
  /** When `weight_decay` is not given. */
  readonly weightDecay: number;
  readonly make: (groups: never, settings: never) => optim.Optimizer<never>;
}

const eps = z.number().positive().default(1e-8);
const share = z.number().min(0).lt(1);
const none = z.strictObject({});
const flag = z.boolean().default(false);
const decoupled = { decoupled_weight_decay: flag };

const kinds = {
  adamw: kind(optim.AdamW, { eps, amsgrad: flag }, { weightDecay: 0.01 }),
  adam: kind(optim.Adam, { eps, amsgrad: flag }),
  sgd: kind(
    optim.SGD,
    { momentum: share.default(0), dampening: share.default(0), nesterov: flag },
    { hasBetas: false },
  ),
  rmsprop: kind(
    optim.RMSprop,
    { alpha: share.default(0.99), eps, momentum: share.default(0), centered: flag },
    { hasBetas: false },
  ),
  adagrad: kind(
    optim.Adagrad,
    {
      lr_decay: z.number().nonnegative().default(0),
      initial_accumulator_value: z.number().nonnegative().default(0),
      eps: z.number().positive().default(1e-10),
    },
    { hasBetas: false },
  ),
  adamax: kind(optim.Adamax, { eps }),
  nadam: kind(optim.NAdam, { eps, momentum_decay: z.number().nonnegative().default(4e-3), ...decoupled }),
  radam: kind(optim.RAdam, { eps, ...decoupled }),
  lion: kind(optim.Lion, none.shape),
} as const satisfies Record<string, Kind>;

/** Values of `--optimizer`. */
export const optimizerNames = Object.keys(kinds) as [keyof typeof kinds, ...(keyof typeof kinds)[]];

/** Options that an optimiser is made of. */
export type OptimizerOptions = Pick<
  TrainOptions,
  "optimizer" | "optimizer_settings" | "lr" | "weight_decay" | "betas" | "decay_norms" | "undecayed"
>;

/** The optimiser's own settings with their defaults. @throws ConfigError for an unknown key or a wrong value */
export function optimizerSettings({ optimizer, optimizer_settings: given }: OptimizerOptions): Settings {
  return validateSettings(kinds[optimizer].settings, given, `optimizer_settings of ${optimizer}`);
}

/** Makes the optimiser of a network; null for a network without weights. @throws ConfigError */
export function createOptimizer(network: Network, options: OptimizerOptions): Optimizer | null {
  if (network.parameters().length === 0) return null;
  const { hasBetas, weightDecay, make }: Kind = kinds[options.optimizer];
  const settings = {
    ...camelCase(optimizerSettings(options)),
    lr: options.lr,
    weightDecay: options.weight_decay ?? weightDecay,
    ...(hasBetas && { betas: options.betas }),
  };
  return make(parameterGroups(network, options) as never, settings as never) as unknown as Optimizer;
}

/** All parameters; those that must not decay in a group of their own. @throws ConfigError for a pattern that fits nothing */
function parameterGroups(network: Network, { decay_norms, undecayed }: OptimizerOptions) {
  const named = [...network.namedParameters()];
  const patterns = undecayed.map((text) => ({ text, expression: glob(text) }));
  const unused = patterns.find(({ expression }) => !named.some(([name]) => expression.test(name)));
  if (unused !== undefined) {
    const names = named.map(([name]) => name);
    throw new ConfigError(`undecayed: no parameter of the network fits "${unused.text}"`, {
      hint: didYouMean(unused.text.replaceAll("*", ""), names) || "* stands for anything, as in *.bias",
    });
  }
  const [decayed, spared]: [unknown[], unknown[]] = [[], []];
  for (const [name, parameter] of named) {
    // Norms and biases are the parameters with fewer than two dimensions.
    const isSpared = (!decay_norms && parameter.ndim < 2) || patterns.some(({ expression }) => expression.test(name));
    (isSpared ? spared : decayed).push(parameter);
  }
  const groups = [{ params: decayed }, { params: spared, weightDecay: 0 }];
  return groups.filter(({ params }) => params.length > 0);
}

/** `*` stands for anything; a pattern without it is a whole name. */
function glob(text: string): RegExp {
  const escaped = text.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`);
}

function kind<G, S>(
  Class: new (groups: G, settings: S) => unknown,
  settings: z.ZodRawShape,
  { hasBetas = true, weightDecay = 0 }: Partial<Pick<Kind, "hasBetas" | "weightDecay">> = {},
): Kind {
  return {
    settings: z.strictObject(settings),
    hasBetas,
    weightDecay,
    make: ((groups: G, given: S) => new Class(groups, given)) as unknown as Kind["make"],
  };
}

/** `lr_decay` → `lrDecay`. */
export function camelCase(settings: Settings): Record<string, unknown> {
  const entries = Object.entries(settings);
  return Object.fromEntries(
    entries.map(([key, value]) => [key.replace(/_(\w)/g, (_, c: string) => c.toUpperCase()), value]),
  );
}
