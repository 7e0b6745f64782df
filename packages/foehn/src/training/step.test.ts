import { fileURLToPath } from "node:url";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import { noForcing } from "../datasets/forcings.js";
import { latLonGrid } from "../grid/grid.js";
import { Network } from "../models/network.js";
import { createNetwork } from "../models/registry.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import { Learner } from "./learner.js";
import { parseTrainOptions } from "./options.js";
import { advance } from "./step.js";

/** A network whose answer is a function of its input: physics that is known in closed form. */
class Known extends Network {
  readonly seen: Tensor[] = [];
  constructor(readonly answer: (x: Tensor) => Tensor) {
    super(0, 0, {}, [1, 1]);
  }
  override forward(x: Tensor): Tensor {
    this.seen.push(x);
    return this.answer(x);
  }
}

const one = (...values: number[]) => torch.tensor(values, { shape: [1, 1, 1, values.length] });
const values = (tensor: Tensor) => Array.from(tensor.toTypedArray() as Float32Array);
const base = {
  statics: torch.tensor([7], { shape: [1, 1, 1] }),
  forcing: one(9),
  diffMean: torch.tensor([0.5]),
  diffStd: torch.tensor([2]),
};

describe("advance", () => {
  it("feeds states oldest first, then statics, then forcing", () => {
    const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 }).mul(0));
    advance({ ...base, network, previousStates: [one(1), one(2), one(3)], strategy: "diff_ar" });
    expect(values(network.seen[0]!)).toEqual([1, 2, 3, 7, 9]);
  });

  it("adds plain increments with diff_ar", () => {
    const network = new Known(() => one(0.25));
    expect(values(advance({ ...base, network, previousStates: [one(1), one(3)], strategy: "diff_ar" }))).toEqual([
      3.25,
    ]);
  });

  it("adds scaled increments with scaled_ar, K times with unscaled σ and μ", () => {
    const network = new Known(() => one(0.25));
    const input = { ...base, network, previousStates: [one(3)], strategy: "scaled_ar" as const };
    expect(values(advance(input))).toEqual([3 + 0.25 * 2 + 0.5]);
    expect(values(advance({ ...input, numInterSteps: 3 }))).toEqual([3 + 3 * (0.25 * 2 + 0.5)]);
  });

  it("rebuilds the input from the last sub-state at each of the K calls", () => {
    const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 })); // ds = s·σ + μ
    const input = { ...base, network, previousStates: [one(1)], strategy: "scaled_ar" as const, numInterSteps: 2 };
    expect(values(advance(input))).toEqual([(1 * 3 + 0.5) * 3 + 0.5]);
    expect(network.seen.map((x) => values(x))).toEqual([
      [1, 7, 9],
      [3.5, 7, 9],
    ]);
  });

  it("takes the known border with scaled_ar and leaves it to the model with diff_ar", () => {
    const row = (...numbers: number[]) => torch.tensor(numbers, { shape: [1, 1, numbers.length, 1] });
    const border = { state: row(100, 100, 100), mask: torch.tensor([1, 0, 1], { shape: [1, 3, 1] }) };
    const network = new Known(() => row(0, 0, 0));
    const input = {
      ...base,
      network,
      border,
      statics: torch.zeros([1, 3, 0]),
      forcing: torch.zeros([1, 1, 3, 0]),
      previousStates: [row(1, 2, 3)],
    };
    expect(values(advance({ ...input, strategy: "scaled_ar" }))).toEqual([100, 2.5, 100]);
    expect(values(advance({ ...input, strategy: "diff_ar" }))).toEqual([1, 2, 3]);
    expect(values(advance({ ...input, strategy: "scaled_ar", border: undefined }))).toEqual([1.5, 2.5, 3.5]);
  });

  it("returns float32 states under autocast", () => {
    const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 }).to("bfloat16"));
    expect(advance({ ...base, network, previousStates: [one(1)], strategy: "diff_ar" }).dtype).toBe("float32");
  });
});

describe("options that do not go together", () => {
  it.each([
    [{ strategy: "diff_ar", num_inter_steps: 2, num_input_steps: 1 }, /diff_ar has no intermediary steps/],
    [{ strategy: "scaled_ar", num_inter_steps: 2, num_input_steps: 2 }, /does not go with num_input_steps 2/],
    [{ strategy: "scaled-ar" }, /strategy/],
    [{ loss: "rmse" }, /loss/],
    [{ num_epochs: 3 }, /num_epochs/],
    [{ lr: -1 }, /lr/],
  ])("%j", (input, message) => {
    expect(() => parseTrainOptions(input)).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringMatching(message) }),
    );
  });
});

/** Reads a case written by test/golden/training/train_steps.py. */
function loadCase(name: string) {
  const path = fileURLToPath(new URL(`../../../../test/golden/training/${name}.pt`, import.meta.url));
  return Object.fromEntries(torch.load(path) as Map<string, unknown>) as {
    options: Map<string, string | number | null>;
    settings: Map<string, unknown>;
    first: Map<string, Tensor>;
    last: Map<string, Tensor>;
    statics: Tensor;
    border: Tensor;
    weight: Tensor;
    diff_mean: Tensor;
    diff_std: Tensor;
    batches: Map<string, Tensor>[];
    losses: number[];
  };
}

describe("training steps", () => {
  it.each(["scaled_ar", "diff_ar", "inter_steps"])("are PyTorch's: %s", (name) => {
    torch.scope(() => {
      const data = loadCase(name);
      const [height, width, numStatics] = data.statics.shape as [number, number, number];
      const features = ["u", "v"];
      const statistic = (tensor: Tensor, i: number) => values(tensor)[i]!;
      const border = Float32Array.from(values(data.border));
      const info: DatasetInfo = {
        name: "golden",
        grid: latLonGrid(
          Array.from({ length: height }, (_, i) => -i),
          Array.from({ length: width }, (_, i) => i),
        ),
        stepSeconds: 3600,
        features: features.map((feature, i) => ({
          name: feature,
          units: "m s-1",
          longName: feature,
          role: "prognostic",
          weight: statistic(data.weight, i),
        })),
        forcingNames: ["f"],
        forcing: noForcing,
        stats: Object.fromEntries(features.map((feature) => [feature, { mean: 0, std: 1, min: -9, max: 9 }])),
        diffStats: Object.fromEntries(
          features.map((feature, i) => [
            feature,
            { mean: statistic(data.diff_mean, i), std: statistic(data.diff_std, i), min: -9, max: 9 },
          ]),
        ),
        borderSize: 2,
        statics: {
          names: ["s"],
          fields: Float32Array.from(values(data.statics)),
          borderMask: border,
          interiorMask: border.map((value) => 1 - value),
        },
      };
      const numInputSteps = Number(data.options.get("num_input_steps"));
      const options = parseTrainOptions({
        strategy: data.options.get("strategy"),
        loss: data.options.get("loss"),
        num_input_steps: numInputSteps,
        num_inter_steps: data.options.get("num_inter_steps"),
        gradient_clip_norm: data.options.get("clip"),
        lr: 1e-2,
      });
      const network = createNetwork(
        "halfunet",
        numInputSteps * 2 + numStatics + 1,
        2,
        Object.fromEntries(data.settings),
        [height, width],
      );
      network.loadStateDict(data.first);
      const learner = new Learner({ network, info, options, precision: "fp32", device: "cpu", totalSteps: 3 });
      const named = (tensor: Tensor, names: readonly string[]) =>
        new NamedTensor(tensor, ["batch", "timestep", "lat", "lon", "features"] as const, names) as NamedTensor;
      for (const [i, parts] of data.batches.entries()) {
        const batch: ItemBatch = {
          inputs: named(parts.get("inputs")!, features),
          outputs: named(parts.get("outputs")!, features),
          forcing: named(parts.get("forcing")!, ["f"]),
          times: { inputs: [], outputs: [] },
          batchSize: 2,
          numInputSteps,
          numPredSteps: 2,
        };
        expect(Math.abs(learner.accumulate(batch, 1) / data.losses[i]! - 1)).toBeLessThan(1e-5);
        learner.step();
      }
      const after = network.stateDict();
      for (const [key, expected] of data.last) {
        const difference = after.get(key)!.sub(expected).abs().max().item();
        expect(difference, key).toBeLessThan(2e-4); // Adam divides by √v: rounding of tiny gradients shows
      }
      learner.dispose();
    });
  });
});
