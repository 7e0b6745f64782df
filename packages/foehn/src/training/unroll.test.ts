import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { describe, expect, it } from "vitest";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import { noForcing } from "../datasets/forcings.js";
import { buildStatics } from "../datasets/statics.js";
import { latLonGrid } from "../grid/grid.js";
import { Network, type StaticTensors } from "../models/network.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import { Learner } from "./learner.js";
import { parseTrainOptions, type TrainOptionsInput } from "./options.js";

const size = 64;
const axis = Array.from({ length: size }, (_, i) => i / 2);
const grid = latLonGrid(
  axis.map((i) => 60 - i),
  axis,
);
const statistics = (std: number) => ({ mean: 0.01, std, min: -9, max: 9 });
const names = ["a", "b", "rain"];

/** Two prognostic features and a diagnostic one, with a border. */
const info: DatasetInfo = {
  name: "unrolled",
  grid,
  stepSeconds: 3600,
  features: names.map((name) => ({
    name,
    units: "1",
    longName: name,
    role: name === "rain" ? "diagnostic" : "prognostic",
    weight: 1,
  })),
  forcingNames: ["sst"],
  forcing: { ...noForcing, variables: ["sst"] },
  stats: Object.fromEntries(names.map((name) => [name, statistics(1)])),
  diffStats: Object.fromEntries(names.map((name) => [name, statistics(0.3)])),
  borderSize: 3,
  statics: buildStatics(grid, { borderSize: 3 }),
};

const inputSteps = 2;
const numInputs = inputSteps * 2 + info.statics.names.length + 1;

/** Convolutions with batch normalisation and dropout. */
class Noisy extends Network {
  readonly first = new nn.Conv2d(numInputs, 32, 3, { padding: 1 });
  readonly norm = new nn.BatchNorm2d(32);
  readonly drop = new nn.Dropout(0.3);
  readonly last = new nn.Conv2d(32, 3, 3, { padding: 1 });
  constructor() {
    super(numInputs, 3, {}, [size, size]);
  }
  override forward(x: Tensor): Tensor {
    const hidden = this.drop.forward(this.norm.forward(this.first.forward(x.permute([0, 3, 1, 2]))).tanh());
    return this.last.forward(hidden).permute([0, 2, 3, 1]);
  }
}

const flat = (part: NamedTensor) => part.flatten("ngrid", "lat", "lon") as NamedTensor;

/** The same behind a graph network's layout. */
class NoisyOnNodes extends Noisy {
  override forward(x: Tensor): Tensor {
    return super.forward(x.reshape([x.size(0), size, size, x.size(2)])).reshape([x.size(0), size * size, 3]);
  }
  override transformStatics({ features, borderMask, interiorMask }: StaticTensors): StaticTensors {
    return { features: flat(features), borderMask: flat(borderMask), interiorMask: flat(interiorMask) };
  }
  override transformBatch(batch: ItemBatch): ItemBatch {
    return { ...batch, inputs: flat(batch.inputs), outputs: flat(batch.outputs), forcing: flat(batch.forcing) };
  }
}

function makeBatch(steps: number): ItemBatch {
  torch.manualSeed(11);
  const part = (times: number, features: readonly string[]) =>
    new NamedTensor(
      torch.randn([2, times, size, size, features.length]),
      ["batch", "timestep", "lat", "lon", "features"] as const,
      features,
    ) as NamedTensor;
  return {
    inputs: part(inputSteps, names.slice(0, 2)),
    outputs: part(steps, names),
    forcing: part(steps, ["sst"]),
    times: { inputs: [], outputs: [] },
    batchSize: 2,
    numInputSteps: inputSteps,
    numPredSteps: steps,
  };
}

interface Outcome {
  readonly loss: number;
  /** Gradients and, after them, the buffers: running statistics. */
  readonly gradients: Map<string, Float64Array>;
  /** Of the generator, afterwards. */
  readonly next: number;
}

function train(batch: ItemBatch, options: TrainOptionsInput, Kind: new () => Noisy = Noisy, steps?: number): Outcome {
  torch.manualSeed(5);
  const network = new Kind();
  const parsed = parseTrainOptions({ strategy: "scaled_ar", num_pred_steps_train: batch.numPredSteps, ...options });
  const precision = parsed.precision === "auto" ? "fp32" : parsed.precision;
  const learner = new Learner({ network, info, options: parsed, precision, device: "cpu", totalSteps: 1 });
  learner.numSteps = steps;
  torch.manualSeed(6);
  const loss = learner.accumulate(batch, 0.5);
  const next = torch.scope(() => torch.rand([1]).item() as number);
  const values = (tensor: Tensor) => torch.scope(() => tensor.to("float64").toTypedArray().slice() as Float64Array);
  const gradients = new Map<string, Float64Array>();
  for (const [name, parameter] of network.namedParameters()) {
    using gradient = parameter.grad!;
    gradients.set(name, values(gradient));
  }
  for (const [name, buffer] of network.namedBuffers()) gradients.set(name, values(buffer));
  learner.dispose();
  network.dispose();
  return { loss, gradients, next };
}

function expectSame(a: Outcome, b: Outcome, tolerance = 1e-6): void {
  expect(b.loss).toBe(a.loss);
  expect(b.next).toBe(a.next);
  expect([...b.gradients.keys()]).toEqual([...a.gradients.keys()]);
  const largest = Math.max(...a.gradients.get("first.weight")!.map(Math.abs));
  for (const [name, values] of a.gradients) {
    const other = b.gradients.get(name)!;
    // A bias before a normalisation has no gradient but rounding.
    const scale = name === "first.bias" ? largest : Math.max(...values.map(Math.abs));
    const difference = Math.max(...values.map((value, i) => Math.abs(value - other[i]!)));
    expect(difference / scale, name).toBeLessThan(tolerance);
  }
}

describe("checkpoint_steps", () => {
  const batch = makeBatch(4);

  it.each([
    ["on the grid", {}, Noisy],
    ["in a graph network's layout", {}, NoisyOnNodes],
    ["with pushforward", { pushforward_steps: 2 }, Noisy],
    ["with a hidden part of the input", { mask_ratio: 0.4 }, Noisy],
    ["with diff_ar", { strategy: "diff_ar" }, Noisy],
    ["in bf16, with pushforward", { precision: "bf16-mixed", pushforward_steps: 1 }, Noisy],
  ] as const)("gives the gradients, running statistics and random numbers of the plain way: %s", (_, options, Kind) => {
    const plain = train(batch, options, Kind);
    // In bf16 the plain way sums the gradients of all steps in bf16, the other one in float32.
    const tolerance = "precision" in options ? 1e-2 : 1e-6;
    expectSame(plain, train(batch, { ...options, checkpoint_steps: true }, Kind), tolerance);
    expect(Math.max(...plain.gradients.get("first.weight")!.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(plain.gradients.get("norm.num_batches_tracked")![0]).toBe(4);
  });

  it("keeps the activations of one step instead of all", () => {
    const longer = makeBatch(8);
    const peak = (checkpoint: boolean) => {
      torch.emptyCache();
      const before = torch.memoryStats().cachedBytes;
      train(longer, { checkpoint_steps: checkpoint });
      // What was in use at once waits to be used again.
      return torch.memoryStats().cachedBytes - before;
    };
    const [plain, recomputed] = [peak(false), peak(true)];
    expect(plain).toBeGreaterThan(20e6);
    expect(recomputed).toBeLessThan(plain / 2.5);
  });

  it("leaves no tensors behind", () => {
    const live = [0, 1, 2].map(() => {
      train(batch, { checkpoint_steps: true, pushforward_steps: 1 });
      return torch.memoryStats().liveBytes;
    });
    expect(live[2]).toBe(live[1]);
  });
});

describe("pushforward_steps", () => {
  it("leaves the first steps out of loss and gradient, but not out of the forecast", () => {
    const batch = makeBatch(3);
    const whole = train(batch, {});
    const pushed = train(batch, { pushforward_steps: 2 });
    expect(pushed.loss).not.toBe(whole.loss);
    // Another truth at the first two leads changes the known border only; inside, nothing of the loss looks at it.
    const other = { ...batch, outputs: batch.outputs.clone() };
    const inner = other.outputs.tensor
      .narrow(1, 0, 2)
      .narrow(2, 3, size - 6)
      .narrow(3, 3, size - 6);
    inner.add_(5);
    expectSame(pushed, train(other, { pushforward_steps: 2 }));
    expect(train(other, {}).loss).not.toBe(whole.loss);
  });
});

describe("num_pred_steps_schedule", () => {
  it("unrolls the first steps of longer samples", () => {
    const [long, short] = [makeBatch(4), makeBatch(4)];
    const two = {
      ...short,
      outputs: short.outputs.slice("timestep", 0, 2),
      forcing: short.forcing.slice("timestep", 0, 2),
    };
    for (const checkpoint_steps of [false, true]) {
      expectSame(
        train({ ...two, numPredSteps: 2 }, { checkpoint_steps }),
        train(long, { checkpoint_steps, pushforward_steps: 0 }, Noisy, 2),
      );
    }
  });

  it.each([
    [{ num_pred_steps_schedule: [[1, 2]] }, /begins with epoch 1; the first epoch is 0/],
    [
      {
        num_pred_steps_schedule: [
          [0, 1],
          [4, 2],
          [4, 3],
        ],
      },
      /epoch 4 comes after epoch 4/,
    ],
    [{ num_pred_steps_schedule: [[0, 0]] }, /num_pred_steps_schedule.0.1/],
    [
      {
        num_pred_steps_schedule: [
          [0, 1],
          [2, 3],
        ],
        num_pred_steps_train: 2,
      },
      /2 contradicts .* 0:1,2:3/,
    ],
    [
      {
        num_pred_steps_schedule: [
          [0, 1],
          [2, 3],
        ],
        pushforward_steps: 1,
      },
      /1 leaves nothing .* where 1 step is/,
    ],
    [{ num_pred_steps_train: 2, pushforward_steps: 3 }, /3 leaves nothing for the loss where 2 steps are/],
    [{ mask_ratio: 1 }, /mask_ratio/],
  ])("refuses %j", (options, message) => {
    expect(() => parseTrainOptions(options)).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringMatching(message) }),
    );
  });
});
