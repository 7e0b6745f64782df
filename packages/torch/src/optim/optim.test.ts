// Optimizers, clipping and schedules against twenty steps of PyTorch's (test/golden/torch/make_golden.py, float64).
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const { nn, optim } = torch;
const golden = torch.npy.loadNpz(fileURLToPath(new URL("../../../../test/golden/torch/optim.npz", import.meta.url)));
const values = (name: string) => [...(golden.get(name)!.toTypedArray() as Float64Array)];

function startModel() {
  const model = new nn.Sequential(new nn.Linear(3, 8), new nn.Tanh(), new nn.Linear(8, 1)).to({ dtype: "float64" });
  model.loadStateDict(
    new Map([...golden].filter(([key]) => key.startsWith("start/")).map(([key, t]) => [key.slice(6), t])),
  );
  return model;
}

/** One step on the golden regression; returns the loss before it and the gradient norm when clipping. */
function trainStep(model: torch.nn.UnaryModule, optimizer: { step(): void; zeroGrad(): void }, clip?: number) {
  return torch.scope(() => {
    optimizer.zeroGrad();
    const loss = nn.functional.mseLoss(model.forward(golden.get("x")!), golden.get("y")!);
    loss.backward();
    const norm = clip === undefined ? 0 : optim.clipGradNorm(model.parameters(), clip);
    optimizer.step();
    return { loss: loss.item() as number, norm };
  });
}

const expectClose = (got: readonly number[], wanted: readonly number[], tolerance = 1e-12) => {
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of got.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(tolerance);
};

type AnyOptimizer = Pick<torch.optim.SGD, "step" | "zeroGrad" | "stateDict" | "loadStateDict">;

describe("optimizers", () => {
  const make: Record<string, (p: Tensor[]) => AnyOptimizer> = {
    sgd: (p) => new optim.SGD(p, { lr: 0.05 }),
    sgd_momentum: (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9, dampening: 0.1, weightDecay: 0.01 }),
    sgd_nesterov: (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9, nesterov: true }),
    adam: (p) => new optim.Adam(p, { lr: 0.01 }),
    adam_l2: (p) => new optim.Adam(p, { lr: 0.01, betas: [0.8, 0.99], eps: 1e-6, weightDecay: 0.1, amsgrad: true }),
    adamw: (p) => new optim.AdamW(p, { lr: 0.01 }),
    adamw_groups: (p) =>
      new optim.AdamW(
        [
          { params: p.slice(0, 2), lr: 0.02 },
          { params: p.slice(2), weightDecay: 0.3 },
        ],
        { lr: 0.01 },
      ),
    adamw_clipped: (p) => new optim.AdamW(p, { lr: 0.01 }),
    rmsprop: (p) => new optim.RMSprop(p),
    rmsprop_full: (p) =>
      new optim.RMSprop(p, { lr: 0.005, alpha: 0.9, eps: 1e-6, weightDecay: 0.1, momentum: 0.5, centered: true }),
    adagrad: (p) => new optim.Adagrad(p),
    adagrad_full: (p) =>
      new optim.Adagrad(p, { lr: 0.05, lrDecay: 0.1, weightDecay: 0.1, initialAccumulatorValue: 0.2, eps: 1e-6 }),
    adamax: (p) => new optim.Adamax(p),
    adamax_full: (p) => new optim.Adamax(p, { lr: 0.02, betas: [0.8, 0.99], eps: 1e-4, weightDecay: 0.1 }),
    nadam: (p) => new optim.NAdam(p),
    nadam_full: (p) =>
      new optim.NAdam(p, { lr: 0.02, betas: [0.8, 0.99], eps: 1e-6, weightDecay: 0.1, momentumDecay: 0.1 }),
    radam: (p) => new optim.RAdam(p, { lr: 0.01 }),
    radam_full: (p) => new optim.RAdam(p, { lr: 0.02, betas: [0.8, 0.9], eps: 1e-6, weightDecay: 0.1 }),
    lion: (p) => new optim.Lion(p, { lr: 0.01, betas: [0.9, 0.99], weightDecay: 0.1 }),
  };

  it.each(Object.keys(make))("%s takes PyTorch's steps", (name) => {
    const model = startModel();
    const optimizer = make[name]!(model.parameters());
    const steps = Array.from({ length: 20 }, () =>
      trainStep(model, optimizer, name.endsWith("clipped") ? 0.1 : undefined),
    );
    expectClose(
      steps.map(({ loss }) => loss),
      values(`${name}:losses`),
    );
    for (const [key, tensor] of model.stateDict())
      expectClose([...(tensor.toTypedArray() as Float64Array)], values(`${name}:${key}`));
    if (name.endsWith("clipped"))
      expectClose(
        steps.map(({ norm }) => norm),
        values(`${name}:norms`),
        1e-6,
      );
  });

  it.each(Object.keys(make).filter((name) => name !== "adamw_clipped"))(
    "%s resumes to the bit from its state, also through a file",
    (name) => {
      const whole = startModel();
      const wholeOptimizer = make[name]!(whole.parameters());
      for (let i = 0; i < 7; i++) trainStep(whole, wholeOptimizer);

      const { tensors, paramGroups } = wholeOptimizer.stateDict();
      const copies = new Map([...tensors].map(([key, tensor]) => [key, tensor.clone()]));
      const settings = JSON.parse(JSON.stringify(paramGroups)) as Record<string, unknown>[];
      const resumed = startModel();
      resumed.loadStateDict(whole.stateDict());
      for (let i = 0; i < 5; i++) trainStep(whole, wholeOptimizer);

      const resumedOptimizer = make[name]!(resumed.parameters());
      resumedOptimizer.loadStateDict({ tensors: copies, paramGroups: settings });
      for (let i = 0; i < 5; i++) trainStep(resumed, resumedOptimizer);
      for (const [key, tensor] of resumed.stateDict())
        expect(tensor.toTypedArray()).toEqual(whole.stateDict().get(key)!.toTypedArray());
    },
  );

  it("trains a small network, dropout included, to PyTorch's losses from nothing but the seed", () => {
    torch.manualSeed(0);
    const block = (inputs: number) => [
      new nn.Conv2d(inputs, 8, 3, { padding: "same", bias: false }),
      new nn.BatchNorm2d(8),
      new nn.ReLU(),
    ];
    const model = new nn.Sequential(...block(4), ...block(8), ...block(8), new nn.Dropout(0.1), new nn.Conv2d(8, 4, 1));
    const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });
    const x = torch.randn([2, 4, 16, 16]);
    const losses = Array.from({ length: 10 }, () =>
      torch.scope(() => {
        optimizer.zeroGrad();
        const loss = nn.functional.mseLoss(model.forward(x), x);
        loss.backward();
        optim.clipGradNorm(model.parameters(), 1);
        optimizer.step();
        return loss.item();
      }),
    );
    expectClose(losses, values("cnn:losses"), 1e-5);
  });

  it("refuses a state that does not fit, and parameters given twice or not at all", () => {
    const model = startModel();
    const optimizer = new optim.Adam(model.parameters());
    trainStep(model, optimizer);
    const state = optimizer.stateDict();
    const small = new optim.Adam(model.parameters().slice(1));
    expect(() => small.loadStateDict(state)).toThrow(/1 group\(s\) with \[4\] parameters; Adam has 1 with \[3\]/);
    const swapped = new Map(state.tensors).set("0.exp_avg", torch.zeros([1]));
    expect(() => optimizer.loadStateDict({ ...state, tensors: swapped })).toThrow(
      /"0.exp_avg" has shape \[1\], its parameter \[8, 3\]/,
    );
    expect(() => optimizer.loadStateDict({ ...state, tensors: new Map([["9.step", torch.zeros([])]]) })).toThrow(
      /"9.step"/,
    );
    const [first] = model.parameters();
    expect(() => new optim.SGD([first!, first!], { lr: 1 })).toThrow(/there twice/);
    expect(() => new optim.SGD([], { lr: 1 })).toThrow(/empty parameter list/);
    expect(() => new optim.Adam([first!], { betas: [1, 0.9] })).toThrow(/betas \[1, 0.9\]/);
    expect(() => new optim.RMSprop([first!], { alpha: -1 })).toThrow(/alpha -1 must be ≥ 0/);
    expect(() => new optim.SGD([first!], { lr: 1, nesterov: true })).toThrow(/momentum > 0/);
  });

  it("leaves parameters without gradient alone", () => {
    const [a, b] = [new nn.Parameter(torch.ones([1])), new nn.Parameter(torch.ones([1]))];
    const optimizer = new optim.AdamW([a, b], { lr: 0.1 });
    a.mul(2).sum().backward();
    optimizer.step();
    expect(a.item()).toBeLessThan(1);
    expect(b.item()).toBe(1);
    expect([...optimizer.stateDict().tensors.keys()].every((key) => key.startsWith("0."))).toBe(true);
    optimizer.zeroGrad({ setToNone: false });
    expect(a.grad!.item()).toBe(0);
    optimizer.zeroGrad();
    expect(a.grad).toBeNull();
  });

  it.each([
    ["AdamW", { weightDecay: 0.1 }],
    ["AdamW", { weightDecay: 0.1, maximize: true, betas: [0.8, 0.99] as const, eps: 1e-6 }],
    ["Adam", { weightDecay: 0.1 }],
    ["Adam", {}],
  ] as const)("%s in one float32 pass takes the steps of the float64 operators (%j)", (name, settings) => {
    const shapes = [[3], [70_001], [6, 4, 5, 3], [2, 3, 4, 5]];
    const run = (dtype: "float32" | "float64") => {
      torch.manualSeed(4);
      const parameters = shapes.map((shape, i) => {
        const start = torch.randn(shape).to(dtype);
        return new nn.Parameter(i === 2 ? start.contiguous({ memoryFormat: "channels_last" }) : start);
      });
      // A parameter with gaps in memory is not for the one pass.
      if (name === "Adam")
        parameters.push(
          new nn.Parameter(torch.aten("slice.Tensor", torch.randn([8, 6]).to(dtype), 1, 0, 6, 2) as Tensor),
        );
      const optimizer = new optim[name](parameters, { lr: 0.01, ...settings });
      for (let i = 0; i < 4; i++) {
        for (const parameter of parameters) {
          const gradient = torch.randn([...parameter.shape]).to(dtype);
          // The last one gets gradients in another order than its own.
          parameter.grad = parameter.ndim === 4 ? gradient.contiguous({ memoryFormat: "channels_last" }) : gradient;
        }
        optimizer.step();
      }
      return parameters.map((parameter) => [...(parameter.detach().to("float64").toTypedArray() as Float64Array)]);
    };
    const [low, high] = [run("float32"), run("float64")];
    for (const [i, values] of low.entries()) expectClose(values, high[i]!, 2e-6);
  });

  it("steps parameters in channels-last layout as it does contiguous ones", () => {
    const run = (memoryFormat: "contiguous" | "channels_last") => {
      torch.manualSeed(3);
      const conv = new nn.Conv2d(3, 4, 3).to({ memoryFormat });
      const optimizer = new optim.AdamW(conv.parameters(), { lr: 0.01 });
      for (let i = 0; i < 5; i++) {
        optimizer.zeroGrad();
        conv
          .forward(torch.ones([1, 3, 5, 5]))
          .square()
          .mean()
          .backward();
        optimizer.step();
      }
      return [...(conv.weight.toTypedArray() as Float32Array)];
    };
    expectClose(run("channels_last"), run("contiguous"), 1e-5);
  });
});

describe("clipping", () => {
  it("returns the norm, leaves small gradients alone, and reports a diverged one", () => {
    const p = new nn.Parameter(torch.zeros([2]));
    p.mul(torch.tensor([3, 4]))
      .sum()
      .backward();
    expect(optim.clipGradNorm([p], 10)).toBe(5);
    expect(p.grad!.toArray()).toEqual([3, 4]);
    expect(optim.clipGradNorm([p], 2.5, { normType: Number.POSITIVE_INFINITY })).toBe(4);
    expect((p.grad!.toArray() as number[])[1]).toBeCloseTo(2.5, 5);
    optim.clipGradValue([p], 1);
    expect(p.grad!.toArray()).toEqual([1, 1]);
    p.mul(Number.NaN).sum().backward();
    expect(() => optim.clipGradNorm([p], 1, { errorIfNonfinite: true })).toThrow(/NaN/);
    expect(optim.clipGradNorm([new nn.Parameter(torch.zeros([1]))], 1)).toBe(0);
  });
});

describe("schedules", () => {
  type Make = (o: torch.optim.SGD) => torch.optim.LRScheduler;
  it.each<[string, Make]>([
    ["constant", (o) => new optim.ConstantLR(o, { factor: 0.25, totalIters: 4 })],
    ["step", (o) => new optim.StepLR(o, { stepSize: 3, gamma: 0.5 })],
    ["lambda", (o) => new optim.LambdaLR(o, (n) => 1 / (n + 1))],
    ["cosine", (o) => new optim.CosineWarmup(o, { warmupSteps: 5, totalSteps: 15 })],
    ["multistep", (o) => new optim.MultiStepLR(o, { milestones: [3, 7, 7, 12], gamma: 0.5 })],
    ["exponential", (o) => new optim.ExponentialLR(o, { gamma: 0.9 })],
    ["onecycle", (o) => new optim.OneCycle(o, { totalSteps: 20 })],
    [
      "onecycle_linear",
      (o) =>
        new optim.OneCycle(o, {
          totalSteps: 20,
          pctStart: 0.4,
          divFactor: 5,
          finalDivFactor: 50,
          annealStrategy: "linear",
          threePhase: true,
        }),
    ],
    ["inverse_sqrt", (o) => new optim.InverseSqrt(o, { warmupSteps: 4 })],
    ["warmup_step", (o) => new optim.WarmupLR(new optim.StepLR(o, { stepSize: 3, gamma: 0.5 }), { warmupSteps: 4 })],
    ["cosine_torch", (o) => new optim.CosineWarmup(o, { totalSteps: 20, minLr: 0.003 })],
  ])("%s gives PyTorch's rates, and resumes", (name, make) => {
    const optimizer = () => new optim.SGD([new nn.Parameter(torch.zeros([1]))], { lr: 0.1 });
    let schedule = make(optimizer());
    const rates: number[] = [];
    for (let i = 0; i < 20; i++) {
      rates.push(schedule.getLastLr()[0]!);
      schedule.step();
      if (i === 8) {
        const state = JSON.parse(JSON.stringify(schedule.stateDict())) as torch.optim.SchedulerState;
        schedule = make(optimizer());
        schedule.loadStateDict(state);
      }
    }
    expectClose(rates, values(`schedule:${name}`), 1e-14);
  });

  it.each<[string, torch.optim.PlateauOptions]>([
    ["plateau", { patience: 2 }],
    ["plateau_full", { patience: 1, factor: 0.5, threshold: 0.2, thresholdMode: "abs", cooldown: 2, minLr: 0.02 }],
    ["plateau_max", { mode: "max", patience: 3 }],
  ])("%s gives PyTorch's rates, and resumes", (name, options) => {
    const make = () => new optim.SGD([new nn.Parameter(torch.zeros([1]))], { lr: 0.1 });
    let optimizer = make();
    let schedule = new optim.ReduceLROnPlateau(optimizer, options);
    const rates = values("plateau:metrics").map((metric, i) => {
      schedule.step(metric);
      if (i === 8) {
        const states = JSON.parse(JSON.stringify([optimizer.stateDict().paramGroups, schedule.stateDict()]));
        optimizer = make();
        optimizer.loadStateDict({ tensors: new Map(), paramGroups: states[0] });
        schedule = new optim.ReduceLROnPlateau(optimizer, options);
        schedule.loadStateDict(states[1]);
      }
      return schedule.getLastLr()[0]!;
    });
    expectClose(rates, values(`schedule:${name}`), 1e-14);
  });

  it("keeps the floor after the end, and each group's own base", () => {
    const [a, b] = [new nn.Parameter(torch.zeros([1])), new nn.Parameter(torch.zeros([1]))];
    const optimizer = new optim.SGD(
      [
        { params: [a], lr: 1 },
        { params: [b], lr: 2 },
      ],
      { lr: 0 },
    );
    const schedule = new optim.CosineWarmup(optimizer, { warmupSteps: 2, totalSteps: 4, minLr: 0.5 });
    const rates = Array.from({ length: 7 }, () => {
      const now = schedule.getLastLr();
      schedule.step();
      return now;
    });
    expect(rates.slice(0, 3)).toEqual([
      [0, 0],
      [0.5, 1],
      [1, 2],
    ]);
    expectClose(rates[3]!, [0.75, 1.25]);
    expect(rates.slice(4)).toEqual([
      [0.5, 0.5],
      [0.5, 0.5],
      [0.5, 0.5],
    ]);
    expect(() => new optim.CosineWarmup(optimizer, { warmupSteps: 5, totalSteps: 4 })).toThrow(/warmupSteps 5/);
  });
});

describe("the moving average of weights", () => {
  /** Two layers with one weight: an average must not be swapped twice. */
  class Tied extends nn.Module {
    readonly first = new nn.Linear(2, 2, { bias: false });
    readonly norm = new nn.BatchNorm2d(2);
    readonly second = new nn.Linear(2, 2, { bias: false });
    constructor() {
      super();
      Object.assign(this.second, { weight: this.first.weight });
    }
    override forward(x: Tensor): Tensor {
      const y = this.norm.forward(this.first.forward(x).reshape([-1, 2, 1, 1]));
      return this.second.forward(y.reshape([-1, 2]));
    }
  }
  const snapshot = (state: ReadonlyMap<string, Tensor>) =>
    Object.fromEntries(
      [...state].map(([name, tensor]) => [name, [...(tensor.toTypedArray() as Float32Array)].map(Number)]),
    );
  const train = (model: Tied) => {
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    torch.scope(() => nn.functional.mseLoss(model.forward(torch.randn([4, 2])), torch.ones([4, 2])).backward());
    optimizer.step();
    optimizer.zeroGrad();
  };

  it("is the recursion, its decay growing at first", () => {
    torch.manualSeed(0);
    const model = new Tied();
    const ema = new optim.ExponentialMovingAverage(model, { decay: 0.2 });
    let expected = snapshot(model.stateDict());
    for (let n = 0; n < 4; n++) {
      train(model);
      ema.update();
      const decay = Math.min(0.2, (1 + n) / (10 + n));
      const now = snapshot(model.stateDict());
      expected = Object.fromEntries(
        Object.entries(now).map(([name, list]) => [
          name,
          name.endsWith("tracked") ? list : list.map((value, i) => decay * expected[name]![i]! + (1 - decay) * value),
        ]),
      );
    }
    const got = snapshot(ema.stateDict());
    expect(Object.keys(got)).toEqual([...model.stateDict().keys()]);
    for (const [name, list] of Object.entries(got)) expectClose(list, expected[name]!, 1e-6);
    expect(got["norm.num_batches_tracked"]).toEqual([4]);
  });

  it("lends the averaged weights, and gives back those of training bit for bit, also after an error", async () => {
    torch.manualSeed(0);
    const model = new Tied();
    const ema = new optim.ExponentialMovingAverage(model, { decay: 0.9, warmup: false });
    for (let n = 0; n < 3; n++) {
      train(model);
      ema.update();
    }
    const [weights, average] = [snapshot(model.stateDict()), snapshot(ema.stateDict())];
    expect(snapshot(model.stateDict())).toEqual(weights);
    expect(await ema.withAverage(async () => snapshot(model.stateDict()))).toEqual(average);
    expect(snapshot(model.stateDict())).toEqual(weights);
    await expect(ema.withAverage(() => Promise.reject(new Error("stop")))).rejects.toThrow("stop");
    expect(snapshot(model.stateDict())).toEqual(weights);
    expect(snapshot(ema.stateDict())).toEqual(average);

    const other = new optim.ExponentialMovingAverage(new Tied(), { decay: 0.9 });
    other.loadStateDict(ema.stateDict(), ema.numUpdates);
    expect(snapshot(other.stateDict())).toEqual(average);
    expect(() => other.loadStateDict(new Map(), 0)).toThrow(/has no "first.weight"/);
    expect(() => new optim.ExponentialMovingAverage(model, { decay: 1 })).toThrow(/decay 1/);
  });
});
