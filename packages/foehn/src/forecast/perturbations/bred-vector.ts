// Bred vectors: perturbations that grew in the model itself. Random noise is added to a state, the model steps the state with and
// without it, the difference is scaled back to its size and added again; after some cycles what grows fastest is left. Toth & Kalnay 1993.
// The second item of the loop is what counts: the first one is the initial condition, which returns the noise as it was.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { NumericalError, UsageError } from "../../core/errors.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { areaWeights } from "../../grid/geometry.js";
import type { TimeLoop } from "../time-loop.js";
import type { NoiseField, NoiseOptions } from "./noise.js";
import { type Perturbation, type PerturbationContext, type PerturbationRow, scaledChannels } from "./perturbation.js";
import { randomStream } from "./philox.js";

/** How to breed. */
export interface BredVectorOptions extends NoiseOptions {
  /** What breeding starts from. */
  readonly seeding: NoiseField;
  /** Steps of the model; default 20. */
  readonly cycles?: number | undefined;
  /** `fixed`: every cycle starts from the initial state itself (default). `analyses`: from the analyses of the steps before it. */
  readonly around?: "fixed" | "analyses" | undefined;
  /**
   * What is scaled back: the area-weighted RMS over the globe (default), or that of each hemisphere beyond 20°, linear in between, so that
   * the stormier one does not take all.
   */
  readonly norm?: "global" | "hemispheric" | undefined;
  /** Members 2k − 1 and 2k get the same vector with opposite signs, so that the mean stays the analysis. Default false. */
  readonly centred?: boolean | undefined;
}

/** Adds bred vectors; their size, as RMS over the channels in standard deviations, is the amplitude. */
export class BredVectors implements Perturbation {
  readonly description: string;
  readonly #options: BredVectorOptions & { readonly cycles: number };

  constructor(options: BredVectorOptions) {
    const { cycles = 20, around = "fixed", norm = "global", centred = false } = options;
    if (!Number.isInteger(cycles) || cycles < 1)
      throw new UsageError(`expected at least one breeding cycle, got ${cycles}`);
    this.#options = { ...options, cycles, around, norm, centred };
    const { amplitude, seeding, seed } = options;
    this.description = `bred vectors${centred ? " in pairs" : ""}, ${cycles} cycles (${around}), ${norm} norm, ${amplitude} standard deviations, from ${seeding.description}, seed ${seed}`;
  }

  async perturb(x: Tensor, rows: readonly PerturbationRow[], context: PerturbationContext): Promise<Tensor> {
    const { centred } = this.#options;
    const result = torch.inferenceMode(() => x.clone());
    try {
      const bred = new Map<string, Tensor>();
      for (const [r, row] of rows.entries()) {
        if (row.member === 0) continue;
        const vector = centred ? Math.ceil(row.member / 2) : row.member;
        const key = `${row.time} ${vector}`;
        const dx = bred.get(key) ?? (await this.#breed(x, r, { time: row.time, member: vector }, context));
        bred.set(key, dx);
        const sign = centred && row.member % 2 === 0 ? -1 : 1;
        torch.inferenceMode(() => torch.scope(() => void result.select(0, r).add_(dx.mul(sign))));
      }
      for (const dx of bred.values()) dx.dispose();
      return result;
    } catch (error) {
      result.dispose();
      throw error;
    }
  }

  /** The vector (history, channels, ny, nx), added to row r of x. */
  async #breed(x: Tensor, r: number, row: PerturbationRow, context: PerturbationContext): Promise<Tensor> {
    const { loop, readState, signal } = context;
    const { cycles, around } = this.#options;
    if (around === "analyses" && readState === undefined) {
      throw new UsageError("breeding around analyses needs a source of initial states");
    }
    const scale = this.#scaling(context, x.device);
    let dx = this.#seed(row, context, x.device);
    for (let cycle = 0; cycle < cycles; cycle++) {
      throwIfInterrupted(signal, "breeding");
      const time = around === "analyses" ? row.time - (cycles - cycle) * loop.timeStep : row.time;
      const analysis = around === "analyses" ? await readState!(time) : undefined;
      const pair = torch.inferenceMode(() =>
        torch.scope(() => {
          const base = analysis === undefined ? x.select(0, r) : analysis.select(0, 0).to(x.device);
          return torch.stack([base, base.add(dx)]);
        }),
      );
      analysis?.dispose();
      try {
        const grown = await secondItem(loop, time, pair);
        const next = torch.inferenceMode(() => torch.scope(() => scale(advance(dx, grown, loop))));
        grown.dispose();
        dx.dispose();
        dx = next;
      } finally {
        pair.dispose();
      }
    }
    return dx;
  }

  #seed(row: PerturbationRow, { loop, channelStds }: PerturbationContext, device: Tensor["device"]): Tensor {
    const { seeding, seed } = this.#options;
    const [ny, nx] = loop.grid.shape;
    const chosen = scaledChannels(this.#options, { loop, channelStds });
    return torch.inferenceMode(() =>
      torch.scope(() => {
        const noise = seeding.on(loop.grid)(chosen.map(({ name }) => randomStream({ seed, ...row, name })));
        const dx = torch.zeros([loop.nHistoryLevels, loop.inChannelNames.length, ny, nx]);
        for (const [i, { index, scale }] of chosen.entries()) dx.select(1, index).copy_(noise.select(0, i).mul(scale));
        return dx.to(device);
      }),
    );
  }

  /** Scales a vector, its newest state deciding, to the amplitude; channels that are not perturbed become 0. */
  #scaling({ loop, channelStds }: PerturbationContext, device: Tensor["device"]): (dx: Tensor) => Tensor {
    const { amplitude, norm } = this.#options;
    const chosen = scaledChannels(this.#options, { loop, channelStds });
    const [ny, nx] = loop.grid.shape;
    const inverse = new Float32Array(loop.inChannelNames.length);
    for (const { index } of chosen) inverse[index] = 1 / channelStds[index]!;
    const latitudes = loop.grid.latitudes;
    const weights = areaWeights(loop.grid);
    const zones =
      norm === "global"
        ? [latitudes.map(() => 1)]
        : [1, -1].map((sign) => latitudes.map((lat) => Number(sign * lat > 20)));
    return (dx) => {
      const normalised = dx
        .select(0, dx.size(0) - 1)
        .mul(torch.fromTypedArray(inverse, [inverse.length, 1, 1]).to(device));
      // (ny): mean square of each row over channels and longitudes
      const rows = Array.from(
        normalised
          .to("float64")
          .square()
          .mean({ dim: [0, 2] })
          .toTypedArray(),
        Number,
      );
      const sizes = zones.map((zone) => {
        let [sum, weight] = [0, 0];
        for (let i = 0; i < ny; i++) {
          sum += zone[i]! * weights[i]! * rows[i]!;
          weight += zone[i]! * weights[i]!;
        }
        if (weight === 0)
          throw new UsageError("the hemispheric norm needs a grid with points beyond 20° on both sides of the equator");
        // RMS over the chosen channels only
        return Math.sqrt((sum / weight) * (inverse.length / chosen.length));
      });
      const bad = sizes.find((size) => !(size > 0 && size < Number.POSITIVE_INFINITY));
      if (bad !== undefined) {
        throw new NumericalError(`a bred vector has the size ${bad} after a step of the model`, {
          hint: "the model damps it away or is unstable from this state: choose other channels, another amplitude or another perturbation",
        });
      }
      const factors = Array.from(latitudes, (lat) => {
        if (sizes.length === 1) return amplitude / sizes[0]!;
        const north = Math.min(1, Math.max(0, (lat + 20) / 40));
        return north * (amplitude / sizes[0]!) + (1 - north) * (amplitude / sizes[1]!);
      });
      const kept = torch.fromTypedArray(inverse, [inverse.length, 1, 1]).ne(0).to("float32").to(device);
      return dx.mul(torch.tensor(factors, { device }).reshape([ny, 1]).expand([ny, nx])).mul(kept);
    };
  }
}

/** The state one step after `time`: the loop's second item, (rows, channels, ny, nx). */
async function secondItem(loop: TimeLoop, time: number, x: Tensor): Promise<Tensor> {
  let item = 0;
  for await (const { output } of loop.run(time, x)) {
    if (item++ === 1) return output;
    output.dispose();
  }
  throw new NumericalError("the model ended before its first step, so nothing can be bred");
}

/** The vector after a step: its history moves on by one, the newest state is the difference of the two forecasts. */
function advance(dx: Tensor, grown: Tensor, loop: TimeLoop): Tensor {
  const picked = loop.inChannelNames.map((name) => loop.outChannelNames.indexOf(name));
  const difference = grown.select(0, 1).sub(grown.select(0, 0));
  const chosen = torch.stack(picked.map((c) => difference.select(0, c))).to(dx.device);
  // Points that the analysis itself does not have are not perturbed.
  const control = torch.stack(picked.map((c) => grown.select(0, 0).select(0, c))).to(dx.device);
  const newest = torch.where(control.isnan(), 0, chosen);
  const levels = dx.size(0);
  if (levels === 1 || loop.historyTimeStep !== loop.timeStep)
    return newest
      .unsqueeze(0)
      .expand([levels, ...newest.shape])
      .clone();
  return torch.cat([dx.narrow(0, 1, levels - 1), newest.unsqueeze(0)]);
}
