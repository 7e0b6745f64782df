// An observer of one's own: how large is the error where it freezes, and where on the map?
import * as torch from "@foehn/torch";
import { drawErrorMap, type ObserverDefinition } from "foehn";

export const frost: ObserverDefinition = {
  name: "frost",
  summary: "error of the 2 m temperature where it freezes",
  create: ({ info, interiorMask }) => {
    const { mean, std } = info.stats.t2m!;
    // Sums at every point, (H, W, 1): memory is the same after one batch and after a thousand.
    const [errors, cases] = [0, 1].map(() => torch.keep(torch.zerosLike(interiorMask)));
    return {
      update({ prediction, target }) {
        const truth = target.feature("t2m"); // (B, T, H, W, 1), normalised
        const freezes = truth.lt((273.15 - mean) / std).to("float32");
        const error = prediction.feature("t2m").sub(truth).abs().mul(freezes).mul(std);
        errors!.add_(error.sum({ dim: [0, 1] }));
        cases!.add_(freezes.sum({ dim: [0, 1] }));
      },
      async finish(report) {
        report.scalar(
          "frost/mae",
          torch.scope(() => errors!.sum().div(cases!.sum()).item()),
        );
        const map = torch.scope(() => errors!.div(cases!).toTypedArray() as Float32Array);
        await report.figure("frost.png", () =>
          drawErrorMap({ grid: info.grid, error: map, kind: "mae", variable: "t2m", units: "K" }).png(),
        );
      },
      dispose: () => torch.dispose([errors, cases]),
    };
  },
};
