// Native memory stays flat over many train steps: nothing the step makes outlives its scope.
import { describe, expect, it } from "vitest";
import * as torch from "../index.js";

const { nn, optim } = torch;

describe("a train step", () => {
  it.each(["contiguous", "channels_last"] as const)(
    "keeps live tensors and bytes flat over 200 steps (%s)",
    (memoryFormat) => {
      torch.manualSeed(0);
      const model = new nn.Sequential(
        new nn.Conv2d(2, 8, 3, { padding: "same" }),
        new nn.BatchNorm2d(8),
        new nn.ReLU({ inplace: true }),
        new nn.MaxPool2d(2),
        new nn.Conv2d(8, 2, 1),
        new nn.UpsamplingBilinear2d({ scaleFactor: 2 }),
      ).to({ memoryFormat });
      const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3, amsgrad: true });
      const schedule = new optim.CosineWarmup(optimizer, { warmupSteps: 10, totalSteps: 200 });
      const ema = new optim.ExponentialMovingAverage(model, { decay: 0.99 });
      const x = torch.randn([2, 2, 8, 8]);
      const step = () =>
        torch.scope(() => {
          optimizer.zeroGrad();
          const loss = nn.functional.mseLoss(model.forward(x), x);
          loss.backward();
          optim.clipGradNorm(model.parameters(), 1);
          optim.clipGradValue(model.parameters(), 0.5);
          optimizer.step();
          schedule.step();
          ema.update();
          return loss.item() as number;
        });
      const first = step();
      step();
      const before = torch.memoryStats();
      let last = 0;
      for (let i = 0; i < 200; i++) last = step();
      const after = torch.memoryStats();
      expect(after.liveTensors).toBe(before.liveTensors);
      expect(after.liveBytes).toBe(before.liveBytes);
      expect(last).toBeLessThan(first);
    },
  );
});
