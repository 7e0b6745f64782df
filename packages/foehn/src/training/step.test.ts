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
import { advance, type StepInput, type StepModel } from "./step.js";
import { createStrategy } from "./strategies/registry.js";

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
const features = { prognostic: ["s"], diagnostic: [], statics: ["g"], forcing: ["f"], readForcing: ["f"] };
const model = {
  features,
  statics: torch.tensor([7], { shape: [1, 1, 1] }),
  differences: { mean: torch.tensor([0.5]), std: torch.tensor([2]) },
};
const [scaledAr, diffAr] = [createStrategy("scaled_ar"), createStrategy("diff_ar")];

/** The next prognostic state. */
const next = (given: Pick<StepModel, "network" | "strategy"> & Partial<StepModel>, input: Partial<StepInput>) =>
  advance({ ...model, ...given }, { previousStates: [], forcing: one(9), ...input }).state;

describe("advance", () => {
  it("feeds states oldest first, then statics, then forcing", () => {
    const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 }).mul(0));
    next({ network, strategy: diffAr }, { previousStates: [one(1), one(2), one(3)] });
    expect(values(network.seen[0]!)).toEqual([1, 2, 3, 7, 9]);
  });

  it("adds plain increments with diff_ar", () => {
    const network = new Known(() => one(0.25));
    expect(values(next({ network, strategy: diffAr }, { previousStates: [one(1), one(3)] }))).toEqual([3.25]);
  });

  it("adds scaled increments with scaled_ar, K times with unscaled σ and μ", () => {
    const network = new Known(() => one(0.25));
    const previousStates = [one(3)];
    expect(values(next({ network, strategy: scaledAr }, { previousStates }))).toEqual([3 + 0.25 * 2 + 0.5]);
    const three = next({ network, strategy: scaledAr, numInterSteps: 3 }, { previousStates });
    expect(values(three)).toEqual([3 + 3 * (0.25 * 2 + 0.5)]);
  });

  it("rebuilds the input from the last sub-state at each of the K calls", () => {
    const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 })); // ds = s·σ + μ
    const state = next({ network, strategy: scaledAr, numInterSteps: 2 }, { previousStates: [one(1)] });
    expect(values(state)).toEqual([(1 * 3 + 0.5) * 3 + 0.5]);
    expect(network.seen.map((x) => values(x))).toEqual([
      [1, 7, 9],
      [3.5, 7, 9],
    ]);
  });

  it("takes the known border with scaled_ar and leaves it to the model with diff_ar", () => {
    const row = (...numbers: number[]) => torch.tensor(numbers, { shape: [1, 1, numbers.length, 1] });
    const border = { state: row(100, 100, 100), mask: torch.tensor([1, 0, 1], { shape: [1, 3, 1] }) };
    const network = new Known(() => row(0, 0, 0));
    const wide = { network, statics: torch.zeros([1, 3, 0]) };
    const input = { border, forcing: torch.zeros([1, 1, 3, 0]), previousStates: [row(1, 2, 3)] };
    expect(values(next({ ...wide, strategy: scaledAr }, input))).toEqual([100, 2.5, 100]);
    expect(values(next({ ...wide, strategy: diffAr }, input))).toEqual([1, 2, 3]);
    expect(values(next({ ...wide, strategy: scaledAr }, { ...input, border: undefined }))).toEqual([1.5, 2.5, 3.5]);
  });

  it("moves border and forcing within the step from call to call; py4cast's calls all have those of its end", () => {
    const seenBy = (settings: object) => {
      const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 }).mul(0));
      const strategy = createStrategy("scaled_ar", settings);
      const border = { state: one(10), mask: torch.ones([1, 1, 1]) };
      const input = { previousStates: [one(2)], startForcing: one(1), forcing: one(9), border };
      const state = next({ network, strategy, numInterSteps: 4 }, input);
      expect(values(state)).toEqual([10]);
      return network.seen.map((x) => values(x));
    };
    expect(seenBy({})).toEqual([
      [2, 7, 3],
      [4, 7, 5],
      [6, 7, 7],
      [8, 7, 9],
    ]);
    expect(seenBy({ compat: "py4cast" })).toEqual([
      [2, 7, 9],
      [10, 7, 9],
      [10, 7, 9],
      [10, 7, 9],
    ]);
  });

  it("keeps diagnostic features out of the input and gives them as the network does", () => {
    const network = new Known(() => one(0.25, 6));
    const given = { ...model, features: { ...features, diagnostic: ["d"] }, network, strategy: scaledAr };
    const { state, prediction } = advance(
      { ...given, numInterSteps: 2 },
      { previousStates: [one(3)], forcing: one(9), border: { state: one(50), mask: torch.ones([1, 1, 1]) } },
    );
    expect(values(state)).toEqual([50]);
    expect(values(prediction)).toEqual([50, 6]);
    expect(network.seen.map((x) => x.size(-1))).toEqual([3, 3]);
    expect(() => next({ ...given, network: new Known(() => one(1)) }, { previousStates: [one(3)] })).toThrow(
      /gives 1 features, the model has 1 prognostic and 1 diagnostic/,
    );
  });

  it("tells the network where its input is complete", () => {
    const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 }).mul(0));
    const input = { previousStates: [one(3)] };
    next({ network, strategy: diffAr, hasMask: true }, { ...input, mask: one(0) });
    next({ network, strategy: diffAr, hasMask: true }, input);
    expect(network.seen.map((x) => values(x))).toEqual([
      [3, 7, 9, 0],
      [3, 7, 9, 1],
    ]);
  });

  it("corrects the forcing that is the same quantity with downscaling_only, and sees no states", () => {
    const network = new Known(() => one(0.25, -1));
    const coarse = ["arp_v_10m", "sin", "arp_t2m"];
    const given = { prognostic: ["t2m", "aro_v_10m"], forcing: coarse, readForcing: coarse };
    const downscaled = next(
      { network, strategy: createStrategy("downscaling_only"), features: { ...features, ...given } },
      { forcing: one(5, 6, 7) },
    );
    expect(values(downscaled)).toEqual([7.25, 4]);
    expect(values(network.seen[0]!)).toEqual([7, 5, 6, 7]);
  });

  it("returns float32 states under autocast", () => {
    const network = new Known((x) => x.slice({ dim: -1, start: 0, end: 1 }).to("bfloat16"));
    expect(next({ network, strategy: diffAr }, { previousStates: [one(1)] }).dtype).toBe("float32");
  });
});

describe("options that do not go together", () => {
  it.each([
    [{ strategy: "diff_ar", num_inter_steps: 2, num_input_steps: 1 }, /diff_ar has no intermediary steps/],
    [{ strategy: "scaled_ar", num_inter_steps: 2, num_input_steps: 2 }, /does not go with num_input_steps 2/],
    [{ strategy: "downscaling_only", num_inter_steps: 2, num_input_steps: 1 }, /downscaling_only has no intermediary/],
    [{ strategy: "scaled-ar" }, /strategy: unknown strategy, got "scaled-ar". Did you mean "scaled_ar"\?/],
    [{ strategy: "scaled_ar", strategy_settings: { compta: "py4cast" } }, /compta: unknown key. Did you mean "compat"/],
    [{ mask_as_input: true, on_nan: "fail" }, /mask_as_input needs on_nan mask/],
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
    names: string[];
    forcing: string[];
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
  it.each(["scaled_ar", "diff_ar", "inter_steps", "downscaling_only"])("are PyTorch's: %s", (name) => {
    torch.scope(() => {
      const data = loadCase(name);
      const [height, width, numStatics] = data.statics.shape as [number, number, number];
      const features = data.names;
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
        forcingNames: data.forcing,
        forcing: { ...noForcing, variables: data.forcing },
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
        strategy_settings: data.options.get("strategy") === "scaled_ar" ? { compat: "py4cast" } : {},
        gradient_clip_norm: data.options.get("clip"),
        lr: 1e-2,
      });
      const network = createNetwork(
        "halfunet",
        (data.options.get("strategy") === "downscaling_only" ? 0 : numInputSteps * 2) +
          numStatics +
          data.forcing.length,
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
          forcing: named(parts.get("forcing")!, data.forcing),
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
