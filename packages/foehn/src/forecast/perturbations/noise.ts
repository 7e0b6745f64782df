// Noise added to the initial state: one random field per member and channel, scaled to physical units. The shape of the fields is
// given by a `NoiseField` (gaussian.ts, correlated.ts, spherical.ts). All states of a history get the same field, so the tendency that a
// model sees between them stays the analysed one. Humidity does not become negative.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { throwIfInterrupted } from "../../core/interrupt.js";
import type { Grid } from "../../grid/grid.js";
import { lookupVariable } from "../../variables/catalogue.js";
import {
  type Perturbation,
  type PerturbationContext,
  type PerturbationRow,
  type Strength,
  scaledChannels,
} from "./perturbation.js";
import { type RandomStream, randomStream } from "./philox.js";

/** Random fields of one kind. */
export interface NoiseField {
  /** For people: `correlated, reddening 2`. */
  readonly description: string;
  /** Prepares what depends on the grid; the function then makes a field from each stream: (streams, ny, nx), float32, on the CPU. */
  on(grid: Grid): (streams: readonly RandomStream[]) => Tensor;
}

/** Which noise, how strong, from which seed. */
export interface NoiseOptions extends Strength {
  readonly seed: number;
}

/** Keeps memory small beside the states themselves. */
const fieldsAtOnce = 32;

/** Adds noise of a kind to every member but the control. */
export class NoisePerturbation implements Perturbation {
  readonly description: string;
  readonly #field: NoiseField;
  readonly #options: NoiseOptions;
  #prepared: { readonly grid: Grid; readonly draw: ReturnType<NoiseField["on"]> } | undefined;

  constructor(field: NoiseField, options: NoiseOptions) {
    this.#field = field;
    this.#options = options;
    const { amplitude, channels, seed } = options;
    const of = channels === undefined ? "" : ` of ${channels.join(", ")}`;
    this.description = `${field.description}, ${amplitude} standard deviations${of}, seed ${seed}`;
  }

  async perturb(x: Tensor, rows: readonly PerturbationRow[], context: PerturbationContext): Promise<Tensor> {
    const chosen = scaledChannels(this.#options, context);
    const { seed } = this.#options;
    const { grid } = context.loop;
    if (this.#prepared?.grid !== grid) this.#prepared = { grid, draw: this.#field.on(grid) };
    const { draw } = this.#prepared;
    const result = torch.inferenceMode(() => x.clone());
    try {
      for (const [r, { time, member }] of rows.entries()) {
        throwIfInterrupted(context.signal, "the perturbation");
        if (member === 0) continue;
        for (let first = 0; first < chosen.length; first += fieldsAtOnce) {
          const some = chosen.slice(first, first + fieldsAtOnce);
          torch.inferenceMode(() =>
            torch.scope(() => {
              const fields = draw(some.map(({ name }) => randomStream({ seed, time, member, name })));
              for (const [i, { name, index, scale }] of some.entries()) {
                // (history, ny, nx)
                const before = x.select(0, r).select(1, index);
                const noisy = before.add(fields.select(0, i).mul(scale).to(x.device));
                const floor = isNeverNegative(name) ? before.clamp({ max: 0 }) : undefined;
                const target = result.select(0, r).select(1, index);
                target.copy_(floor ? noisy.maximum(floor) : noisy);
              }
            }),
          );
        }
        // Fields of hundreds of channels take seconds: others must be able to run in between.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return result;
    } catch (error) {
      result.dispose();
      throw error;
    }
  }
}

const neverNegative = new Set([
  "q",
  "r",
  "clwc",
  "ciwc",
  "crwc",
  "cswc",
  "o3",
  "q2m",
  "r2m",
  "tcwv",
  "tcw",
  "tp",
  "tp06",
  "sd",
]);

function isNeverNegative(name: string): boolean {
  const variable = lookupVariable(name);
  return variable !== undefined && neverNegative.has(variable.family ?? variable.name);
}
