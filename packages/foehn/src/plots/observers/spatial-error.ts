// SpatialErrorPlot: where on the map errors gather. The loss of all variables together (each by its weight over the usual size of
// its change, as the training loss) at every point, averaged over the samples of the pass: one map per lead.

import * as torch from "@foehn/torch";
import { z } from "zod";
import type { ErrorObserver, ObservedBatch, ObserverReport, PassInfo } from "../../training/observer.js";

/** Settings of `spatial_error`. */
export const spatialErrorSettings = z.strictObject({
  measure: z.enum(["mse", "mae"]).default("mse").describe("squared or absolute errors"),
});

/** Draws `spatial_error/lead_<k>.png`. Keeps two maps per lead, whatever the number of samples. */
export class SpatialErrorPlot implements ErrorObserver {
  readonly #measure: "mse" | "mae";
  /** (F): weight of each feature. */
  readonly #weights: torch.Tensor;
  /** (T, H, W): weighted errors and the weights behind them. */
  readonly #sum: torch.Tensor;
  readonly #total: torch.Tensor;

  constructor({ info, leadHours, interiorMask }: PassInfo, settings: z.output<typeof spatialErrorSettings>) {
    this.#measure = settings.measure;
    const power = settings.measure === "mse" ? 2 : 1;
    const weights = info.features.map(({ name, weight }) => weight / (info.diffStats[name]?.std ?? 1) ** power);
    const { device } = interiorMask;
    const shape = [leadHours.length, ...info.grid.shape];
    this.#weights = torch.keep(torch.tensor(weights, { device }));
    this.#sum = torch.keep(torch.zeros(shape, { dtype: "float64", device }));
    this.#total = torch.keep(torch.zeros(shape, { dtype: "float64", device }));
  }

  update({ prediction, target, mask }: ObservedBatch): void {
    const valid = mask?.tensor.ne(0);
    const error = prediction.tensor.sub(valid ? torch.where(valid, target.tensor, prediction.tensor) : target.tensor);
    const points = this.#measure === "mse" ? error.square() : error.abs();
    const weights = valid ? valid.to("float32") : torch.ones(prediction.shape, { device: prediction.device });
    this.#sum.add_(points.matmul(this.#weights).sum({ dim: [0] }));
    this.#total.add_(weights.matmul(this.#weights).sum({ dim: [0] }));
  }

  async finish(report: ObserverReport): Promise<void> {
    const { info, leadHours, numSamples, phase } = report.pass;
    // Points without any truth are 0 / 0: NaN, drawn as missing.
    const maps = torch.scope(() => {
      const means = this.#sum.div(this.#total).mul(this.#weights.sum());
      return means.to({ dtype: "float32", device: "cpu" }).contiguous().toTypedArray() as Float32Array;
    });
    const points = info.grid.shape[0] * info.grid.shape[1];
    for (const [lead, hours] of leadHours.entries()) {
      await report.figure(`spatial_error/lead_${String(lead + 1).padStart(2, "0")}.png`, async () => {
        const { drawErrorMap } = await import("../forecast-map.js");
        return drawErrorMap({
          grid: info.grid,
          error: maps.slice(lead * points, (lead + 1) * points),
          kind: "loss",
          variable: info.features.length === 1 ? info.features[0]!.name : "all variables",
          units: "",
          leadHours: hours,
          subtitle: `mean of ${numSamples} samples of the ${phase === "val" ? "validation" : "test"}`,
          coastlines: info.isOfThisEarth ?? true,
          borderSize: info.borderSize,
        }).png();
      });
    }
  }

  dispose(): void {
    torch.dispose([this.#weights, this.#sum, this.#total]);
  }
}
