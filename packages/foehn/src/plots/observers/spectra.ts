// Spectra: does the network keep the fine structure, or smooth it away? Mean power spectra of prediction and truth over the samples of
// the pass, and one number for how far they are from each other. The spectrum is scores/radial-spectrum.ts.

import * as torch from "@foehn/torch";
import { z } from "zod";
import { DataError } from "../../core/errors.js";
import { logSpectrumError, RadialSpectrum, spectrumShape } from "../../scores/radial-spectrum.js";
import type { NamedTensor } from "../../tensor/named-tensor.js";
import type { ErrorObserver, ObservedBatch, ObserverReport, PassInfo } from "../../training/observer.js";

/** Settings of `spectra`. */
export const spectraSettings = z.strictObject({
  num_samples: z.int().positive().default(32).describe("samples to average over, from the first"),
  leads: z
    .array(z.int().positive())
    .nullable()
    .default(null)
    .describe("which steps, from 1; default: the first, the middle and the last"),
});

/**
 * Draws `spectra.png` and writes `<phase>_psd_scores.json` and scalars `psd_log_error/<variable>/lead_<k>`. Keeps one mean spectrum
 * per variable and lead. The frame of given values is left out.
 */
export class Spectra implements ErrorObserver {
  readonly #numSamples: number;
  /** Indices of the leads, ascending. */
  readonly #leads: readonly number[];
  readonly #border: number;
  readonly #spectrum: RadialSpectrum;
  /** (leads · features, rings), float64, of normalised fields. */
  readonly #predicted: torch.Tensor;
  readonly #true: torch.Tensor;
  #samples = 0;

  constructor({ info, leadHours, interiorMask }: PassInfo, settings: z.output<typeof spectraSettings>) {
    this.#numSamples = settings.num_samples;
    this.#leads = chooseLeads(settings.leads, leadHours.length);
    this.#border = info.borderSize;
    const { device } = interiorMask;
    this.#spectrum = new RadialSpectrum(spectrumShape(info.grid, info.borderSize), device);
    const shape = [this.#leads.length * info.features.length, this.#spectrum.wavelengths.length];
    const zeros = () => torch.keep(torch.zeros(shape, { dtype: "float64", device }));
    this.#predicted = zeros();
    this.#true = zeros();
  }

  update({ prediction, target, mask, batch }: ObservedBatch): void {
    const samples = Math.min(batch.batchSize, this.#numSamples - this.#samples);
    if (samples <= 0) return;
    this.#samples += samples;
    for (let sample = 0; sample < samples; sample++) {
      const valid = mask && this.#fields(mask, sample);
      const add = (sum: torch.Tensor, part: NamedTensor) => {
        const fields = this.#fields(part, sample);
        // Missing points are the mean in both, so that they differ in neither.
        sum.add_(this.#spectrum.density(valid ? torch.where(valid.ne(0), fields, 0) : fields));
      };
      add(this.#predicted, prediction);
      add(this.#true, target);
    }
  }

  /** The chosen leads and all features of a sample without the border, (leads · features, ny, nx). */
  #fields(part: NamedTensor, sample: number): torch.Tensor {
    const { ny, nx } = this.#spectrum.shape;
    const fields = part.tensor
      .select(0, sample)
      .narrow(1, this.#border, ny)
      .narrow(2, this.#border, nx)
      .permute([0, 3, 1, 2]);
    const chosen = this.#leads.map((lead) => fields.select(0, lead));
    return torch.stack(chosen).reshape([-1, ny, nx]).to("float32");
  }

  async finish(report: ObserverReport): Promise<void> {
    const { info, leadHours, phase } = report.pass;
    const { wavelengths } = this.#spectrum;
    const width = info.features.length;
    const numbers = (sum: torch.Tensor) => torch.scope(() => [...(sum.cpu().toTypedArray() as Float64Array)]);
    const [predicted, truth] = [numbers(this.#predicted), numbers(this.#true)];
    const features = info.features.map(({ name, units }, v) => {
      const factor = (info.stats[name]?.std ?? 1) ** 2 / this.#samples;
      const row = (values: readonly number[], i: number) => {
        const at = (i * width + v) * wavelengths.length;
        return values.slice(at, at + wavelengths.length).map((value) => value * factor);
      };
      const leads = this.#leads.map((lead, i) => ({
        lead: lead + 1,
        hours: leadHours[lead]!,
        prediction: row(predicted, i),
        truth: row(truth, i),
      }));
      return { name, units, leads };
    });
    for (const { name, leads } of features) {
      for (const { lead, prediction, truth: target } of leads) {
        report.scalar(`psd_log_error/${name}/lead_${lead}`, logSpectrumError(prediction, target));
      }
    }
    await report.json(`${phase}_psd_scores.json`, { wavelength_km: wavelengths, samples: this.#samples, features });
    await report.figure("spectra.png", async () => {
      const { drawSpectra } = await import("../spectra.js");
      const where = phase === "val" ? "validation" : "test";
      return drawSpectra({ wavelengths, features }, { subtitle: `mean of ${this.#samples} samples, ${where}` }).png();
    });
  }

  dispose(): void {
    this.#spectrum.dispose();
    torch.dispose([this.#predicted, this.#true]);
  }
}

/** @throws DataError for a step that the pass does not predict */
function chooseLeads(wanted: readonly number[] | null, count: number): number[] {
  const steps = wanted ?? [1, Math.ceil(count / 2), count];
  const beyond = steps.find((step) => step > count);
  if (beyond !== undefined) throw new DataError(`there is no step ${beyond}: samples predict ${count}`);
  return [...new Set(steps.map((step) => step - 1))].sort((a, b) => a - b);
}
