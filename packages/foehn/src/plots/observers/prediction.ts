// PredictionPlot: what the network said beside what happened, on a map. A few samples are kept until the end of the pass, nothing of
// the others. In validation the last lead shows how a network learns; in a test every lead is drawn, and an animation.

import * as torch from "@foehn/torch";
import { z } from "zod";
import { UsageError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import type { FeatureInfo } from "../../datasets/dataset.js";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import type { ErrorObserver, ObservedBatch, ObserverReport, PassInfo } from "../../training/observer.js";

/** Settings of `prediction`. */
export const predictionSettings = z.strictObject({
  num_samples: z.int().positive().default(1).describe("samples to draw, from the first"),
  features: z.array(z.string()).nullable().default(null).describe("which variables; default: see num_features"),
  num_features: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("how many variables, from the first; default: 4 in validation, all in a test"),
  leads: z
    .enum(["last", "all"])
    .nullable()
    .default(null)
    .describe("which leads; default: the last in validation, all in a test"),
  error: z.boolean().default(true).describe("draw the error beside them"),
  gif: z.boolean().nullable().default(null).describe("also an animation of all leads; default: in a test"),
});

/** One field of a kept sample: (H, W), physical units. */
interface Pair {
  /** Number of the step, from 0. */
  readonly lead: number;
  readonly forecast: Float32Array;
  readonly truth: Float32Array;
}

interface Sample {
  /** Epoch seconds of each lead. */
  readonly times: readonly number[];
  /** By feature, one pair for each lead that is drawn. */
  readonly fields: ReadonlyMap<string, readonly Pair[]>;
}

/** Draws `prediction/<variable>/sample_<n>_lead_<k>.png`, and `sample_<n>.gif`. */
export class PredictionPlot implements ErrorObserver {
  readonly #numSamples: number;
  readonly #features: readonly FeatureInfo[];
  readonly #leads: readonly number[];
  readonly #error: boolean;
  readonly #gif: boolean;
  readonly #samples: Sample[] = [];

  constructor({ phase, info, leadHours }: PassInfo, settings: z.output<typeof predictionSettings>) {
    const inTest = phase === "test";
    this.#numSamples = settings.num_samples;
    this.#features = chooseFeatures(info.features, settings.features, settings.num_features ?? (inTest ? null : 4));
    this.#error = settings.error;
    this.#gif = (settings.gif ?? inTest) && leadHours.length > 1;
    const all = (settings.leads ?? (inTest ? "all" : "last")) === "all";
    this.#leads = leadHours.flatMap((_, lead) => (all || lead === leadHours.length - 1 ? [lead] : []));
  }

  update({ prediction, target, mask, batch, pass }: ObservedBatch): void {
    const wanted = Math.min(batch.batchSize, this.#numSamples - this.#samples.length);
    for (let sample = 0; sample < wanted; sample++) {
      const leads = this.#gif ? pass.leadHours.map((_, lead) => lead) : this.#leads;
      const fields = new Map<string, Pair[]>();
      for (const { name } of this.#features) {
        const { mean, std } = pass.info.stats[name] ?? { mean: 0, std: 1 };
        const pairAt = (lead: number): Pair => {
          const values = (part: NamedTensor) => fieldOf(part, name, sample, lead);
          const valid = mask && values(mask);
          return {
            lead,
            forecast: values(prediction).map((value) => value * std + mean),
            truth: values(target).map((value, i) => (valid?.[i] === 0 ? Number.NaN : value * std + mean)),
          };
        };
        fields.set(name, leads.map(pairAt));
      }
      this.#samples.push({ times: batch.times.outputs[sample]!, fields });
    }
  }

  async finish(report: ObserverReport): Promise<void> {
    if (!report.draws) return;
    for (const [i, sample] of this.#samples.entries()) {
      for (const feature of this.#features) await this.#draw(report, feature, sample, i + 1);
    }
  }

  async #draw(report: ObserverReport, feature: FeatureInfo, sample: Sample, number: number): Promise<void> {
    const [{ drawForecastMap }, { forecastGif }, { errorScale, fieldScale }] = await Promise.all([
      import("../forecast-map.js"),
      import("../gif.js"),
      import("../palettes.js"),
    ]);
    const { info, leadHours, epoch, phase } = report.pass;
    const { name, longName, units } = feature;
    const frames = sample.fields.get(name)!.map((pair) => ({
      ...pair,
      validTime: sample.times[pair.lead]!,
      leadHours: leadHours[pair.lead]!,
    }));
    // One range for all leads: growing errors look larger, and an animation does not flicker.
    const scales = {
      scale: fieldScale(name, ...frames.flatMap(({ forecast, truth }) => [forecast, truth])),
      errorScale: errorScale(...frames.map(({ forecast, truth }) => forecast.map((value, i) => value - truth[i]!))),
    };
    const place = {
      coastlines: info.isOfThisEarth ?? true,
      borderSize: info.borderSize,
      ...(phase === "val" && { model: `epoch ${epoch}` }),
    };
    const field = { grid: info.grid, variable: name, longName, units };
    const folder = `prediction/${name}/sample_${number}`;
    for (const { lead, ...frame } of frames.filter((drawn) => this.#leads.includes(drawn.lead))) {
      await report.figure(`${folder}_lead_${String(lead + 1).padStart(2, "0")}.png`, () =>
        drawForecastMap({ ...field, ...frame }, { ...scales, ...place, error: this.#error }).png(),
      );
    }
    if (this.#gif) await report.figure(`${folder}.gif`, () => forecastGif({ ...field, frames }, place));
  }
}

/** One feature of one sample at one lead, (H, W). */
function fieldOf(part: NamedTensor, feature: string, sample: number, lead: number): Float32Array {
  return torch.scope(() => {
    const field = part.feature(feature).select(0, sample).select(0, lead);
    return field.to({ dtype: "float32", device: "cpu" }).contiguous().toTypedArray() as Float32Array;
  });
}

/** @throws UsageError for a variable that the dataset does not have */
function chooseFeatures(
  all: readonly FeatureInfo[],
  names: readonly string[] | null,
  count: number | null,
): readonly FeatureInfo[] {
  if (names === null) return count === null ? all : all.slice(0, count);
  return names.map((name) => {
    const found = all.find((feature) => feature.name === name);
    if (found) return found;
    const known = all.map((feature) => feature.name);
    throw new UsageError(`there is no variable "${name}" to draw`, {
      hint: didYouMean(name, known) || `there are ${known.join(", ")}`,
    });
  });
}
