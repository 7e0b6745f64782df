import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { describe, expect, it } from "vitest";
import type { ItemBatch } from "../datasets/dataset.js";
import { collate, disposeBatch } from "../datasets/item.js";
import { Network, type StaticTensors } from "../models/network.js";
import type { NamedTensor } from "../tensor/named-tensor.js";
import { Learner } from "./learner.js";
import { onGridAgain } from "./network-layout.js";
import { parseTrainOptions } from "./options.js";
import { prepareRollout, rollout } from "./rollout.js";
import { tinyData } from "./tiny-data.test.fixture.js";
import { validate } from "./validation.js";

/** One linear layer at every point. */
class Pointwise extends Network {
  readonly linear: nn.Linear;
  readonly seen: number[][] = [];
  constructor(features: number) {
    super(features, 2, {}, [16, 16]);
    torch.manualSeed(5);
    this.linear = new nn.Linear(features, 2);
  }
  override forward(x: Tensor): Tensor {
    this.seen.push(x.shape);
    return this.linear.forward(x);
  }
}

const flat = (part: NamedTensor) => part.flatten("ngrid", "lat", "lon") as NamedTensor;

/** The same on a graph's nodes. */
class PointwiseOnNodes extends Pointwise {
  override transformStatics({ features, borderMask, interiorMask }: StaticTensors): StaticTensors {
    return { features: flat(features), borderMask: flat(borderMask), interiorMask: flat(interiorMask) };
  }
  override transformBatch(batch: ItemBatch): ItemBatch {
    return { ...batch, inputs: flat(batch.inputs), outputs: flat(batch.outputs), forcing: flat(batch.forcing) };
  }
}

const data = tinyData({ numPredStepsTrain: 2, borderSize: 2 });
const features = 2 * 2 + data.info.statics.names.length + 1;
const values = (tensor: Tensor) => Array.from(tensor.toTypedArray() as Float32Array);

async function firstBatch(): Promise<ItemBatch> {
  return collate([await data.train.item(0), await data.train.item(3)]);
}

describe("rollout", () => {
  it("gives predictions on the grid, whatever the layout of the network, with the truth on the border", async () => {
    const batch = await firstBatch();
    const [onGrid, onNodes] = [Pointwise, PointwiseOnNodes].map((Kind) => {
      const network = new Kind(features);
      const context = prepareRollout(network, data.info, { strategy: "scaled_ar", numInterSteps: 1, device: "cpu" });
      return { network, context, prediction: rollout(context, batch) };
    }) as [Rolled, Rolled];
    expect(onGrid.network.seen).toEqual([
      [2, 16, 16, features],
      [2, 16, 16, features],
    ]);
    expect(onNodes.network.seen).toEqual([
      [2, 256, features],
      [2, 256, features],
    ]);
    expect(onNodes.prediction.names).toEqual(["batch", "timestep", "lat", "lon", "features"]);
    expect(onNodes.prediction.shape).toEqual(batch.outputs.shape);
    const [a, b, truth] = [onGrid.prediction.tensor, onNodes.prediction.tensor, batch.outputs.tensor].map(values);
    for (const [i, value] of a!.entries()) expect(b![i]).toBeCloseTo(value, 5);
    const onBorder = (i: number) => [Math.floor(i / 32) % 16, Math.floor(i / 2) % 16].some((at) => at < 2 || at > 13);
    for (const [i, value] of b!.entries()) if (onBorder(i)) expect(value === truth![i]).toBe(true);
    expect(b!.some((value, i) => !onBorder(i) && Math.abs(value - truth![i]!) > 0.01)).toBe(true);
    for (const { context } of [onGrid, onNodes]) context.dispose();
    disposeBatch(batch);
  });

  it("lets losses, gradients and validation see the grid only", async () => {
    const batch = await firstBatch();
    const options = parseTrainOptions({ strategy: "scaled_ar" });
    const results = [];
    for (const Kind of [Pointwise, PointwiseOnNodes]) {
      const network = new Kind(features);
      const learner = new Learner({
        network,
        info: data.info,
        options,
        precision: "fp32",
        device: "cpu",
        totalSteps: 1,
      });
      const loss = learner.accumulate(batch, 1);
      const { context } = learner;
      const input = { context, loss: learner.loss, info: data.info, precision: "fp32", device: "cpu" } as const;
      const scores = await validate(data.valid, { ...input, batchSize: 3, limit: null });
      results.push([loss, ...values(network.linear.weight.grad!), scores!.loss, ...scores!.rmse.t2m!]);
      learner.dispose();
    }
    for (const [i, value] of results[0]!.entries())
      expect(Math.abs(results[1]![i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
    disposeBatch(batch);
  });

  it("refuses a layout that does not go back onto the grid", () => {
    expect(() => onGridAgain(torch.zeros([2, 1, 128, 2]), [2, 1, 16, 16, 2])).toThrow(
      /\(2, 1, 128, 2\).*does not go back onto \(2, 1, 16, 16, 2\)/,
    );
  });
});

interface Rolled {
  readonly network: Pointwise;
  readonly context: ReturnType<typeof prepareRollout>;
  readonly prediction: NamedTensor;
}
