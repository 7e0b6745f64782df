// Losses by name, and what a file may say about them: a name, a block of settings, or a list of blocks, which is a weighted sum.
// py4cast's form `{class, weight, params}` is read as well. A plugin adds its own with `losses.register`.

import type { Tensor } from "@foehn/torch";
import { z } from "zod";
import { validateSettings } from "../../core/config.js";
import { ConfigError } from "../../core/errors.js";
import { looseName, Registry } from "../../core/registry.js";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import { valuesOf } from "../output-std.js";
import { crpsLoss } from "./crps-loss.js";
import type { LossDefinition } from "./definition.js";
import { gaussianLosses } from "./gaussian-losses.js";
import type { Loss, LossContext } from "./loss.js";
import { scaledLoss } from "./scaled-loss.js";
import { spectralLoss } from "./spectral-loss.js";
import { weightedLosses } from "./weighted-loss.js";

const block = z
  .looseObject({
    name: z.string().optional().describe("name of a loss; its settings follow as keys"),
    class: z.string().optional().describe("py4cast's word for name"),
    weight: z.number().optional().describe("factor in a sum"),
    params: z.record(z.string(), z.unknown()).optional().describe("settings, as py4cast writes them"),
  })
  .refine((given) => given.name !== undefined || given.class !== undefined, "expected the name of a loss (name: mse)")
  .describe("one loss");

/** What a file says about the loss. */
export const lossSpecSchema = z.union([z.string(), block, z.array(block).min(1)]);
/** A name, a block, or blocks that add up. */
export type LossSpec = z.infer<typeof lossSpecSchema>;
type Block = z.infer<typeof block>;

/** Losses by name; case, dashes and underscores do not matter. */
export class LossRegistry extends Registry<LossDefinition> {
  constructor() {
    super({
      one: "loss",
      many: "losses",
      names: ({ name, aliases = [] }) => [name, ...aliases],
      describe: ({ summary }) => `"${summary}"`,
      key: looseName,
    });
  }

  // Only createLoss calls `create`, with settings that the definition's own schema has checked.
  override register<S>(definition: LossDefinition<S>, origin?: string): void {
    super.register(definition as unknown as LossDefinition, origin);
  }

  /** The loss of a name, which stands in a configuration. @throws ConfigError for an unknown name, with the nearest ones */
  override get(name: string): LossDefinition {
    const found = this.find(name);
    if (found === undefined) throw new ConfigError(`unknown loss "${name}"`, { hint: this.known(name) });
    return found;
  }
}

/** The losses that training uses. */
export const losses = new LossRegistry();
for (const definition of weightedLosses) losses.register(definition);
losses.register(scaledLoss);
losses.register(spectralLoss);
losses.register(crpsLoss);
for (const definition of gaussianLosses) losses.register(definition);

/** One part of a loss, checked. */
export interface LossPart {
  readonly definition: LossDefinition;
  readonly weight: number;
  readonly settings: unknown;
}

/** The parts of a specification. @throws ConfigError for an unknown name or setting */
export function lossParts(spec: LossSpec, where = "loss"): LossPart[] {
  const blocks = typeof spec === "string" ? [{ name: spec }] : Array.isArray(spec) ? spec : [spec];
  return blocks.map((given, i) => part(given, blocks.length === 1 ? where : `${where}.${i}`));
}

/** @throws ConfigError when a network would give standard deviations that no part of the loss looks at, so that none were learnt */
export function requireStdLoss(spec: LossSpec): void {
  const given = lossParts(spec).map(({ definition }) => definition);
  if (given.some(({ usesStd }) => usesStd)) return;
  const able = losses.list().flatMap(({ name, usesStd }) => (usesStd ? [name] : []));
  throw new ConfigError(
    `output_std needs a loss of standard deviations, got ${given.map(({ name }) => name).join(" + ")}`,
    {
      hint: `use --loss ${able.join(" or --loss ")}, alone or in a sum; without output_std the network gives values alone`,
    },
  );
}

/** Makes a loss. @throws ConfigError for a name, setting or feature that is not there */
export function createLoss(spec: LossSpec, context: LossContext): Loss {
  const parts = lossParts(spec).map(({ definition, weight, settings }) => {
    const loss = definition.create(settings as never, context);
    return { weight, loss: context.outputStd && !definition.usesStd ? ofValues(loss) : loss };
  });
  const [only] = parts;
  return parts.length === 1 && only!.weight === 1 ? only!.loss : new CombinedLoss(parts);
}

/** A loss that knows no standard deviations, for predictions that have them. */
function ofValues(loss: Loss): Loss {
  return {
    forward: (prediction, target, mask) => loss.forward(valuesOf(prediction, target.featureNames.length), target, mask),
    dispose: () => loss.dispose(),
  };
}

/** Σ weight · loss. */
class CombinedLoss implements Loss {
  readonly #parts: readonly { readonly weight: number; readonly loss: Loss }[];

  constructor(parts: readonly { readonly weight: number; readonly loss: Loss }[]) {
    this.#parts = parts;
  }

  forward(prediction: NamedTensor, target: NamedTensor, mask?: Tensor): Tensor {
    const terms = this.#parts.map(({ weight, loss }) => loss.forward(prediction, target, mask).mul(weight));
    return terms.reduce((sum, term) => sum.add(term));
  }

  dispose(): void {
    for (const { loss } of this.#parts) loss.dispose();
  }
}

function part(given: Block, where: string): LossPart {
  const { name, class: className, weight = 1, params = {}, ...rest } = given;
  const spelt = name ?? className;
  if (spelt === undefined) throw new ConfigError(`${where}: expected the name of a loss`, { hint: "add name: mse" });
  const settings: Record<string, unknown> = { ...params, ...rest };
  // py4cast names a class that weights or scales, and the point-wise measure as its parameter.
  let wanted = spelt;
  if (looseName(spelt) === "weightedloss") {
    wanted = String(settings.loss ?? "mse");
    forget(settings, "loss", "reduction");
  } else if (looseName(spelt) === "scaledloss") {
    wanted = "scaled";
    if (settings.loss !== undefined) settings.measure = losses.get(String(settings.loss)).name;
    forget(settings, "loss", "reduction");
  }
  const definition = losses.get(wanted);
  return {
    definition,
    weight,
    settings: validateSettings(definition.settings, settings, `${where} ${definition.name}`),
  };
}

function forget(settings: Record<string, unknown>, ...keys: readonly string[]): void {
  for (const key of keys) delete settings[key];
}
