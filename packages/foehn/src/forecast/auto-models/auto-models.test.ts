import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { afterAll, describe, expect, it } from "vitest";
import { publishedModel, publishedModels } from "../../hub/catalogue.js";
import { fengwuChannels, fuxiChannels } from "../../hub/published-channels.js";
import { golden } from "../../io/golden.test-support.js";
import { NetcdfWriter } from "../../io/netcdf/write.js";
import { fillByFormula, inputOf, readCase, relativeDifference } from "../../models/formula.test-support.js";
import { DlwpNetwork } from "../../models/published/dlwp.js";
import { channelSet } from "../../variables/channel-sets.js";
import { cosZenith } from "../../variables/solar.js";
import { getModel } from "../get-model.js";
import { constantState, items, npy, onnxFile, PackageFolder, zipOf } from "../package.test-support.js";
import { AutoModel } from "./auto-model.js";
import { timeEmbedding } from "./fuxi.js";
import { readCheckpoint } from "./mdlus.js";
import { autoModel, autoModelNames } from "./registry.js";

const packages = new PackageFolder();
process.env.FOEHN_MODEL_CACHE = join(packages.path, "cache");
afterAll(() => packages.remove());

const hours = 3600;
const start = Date.UTC(2018, 0, 1) / 1000;
const [ny, nx] = [3, 4];

/** First value of each item. */
const firsts = (list: readonly { readonly values: readonly number[] }[]) => list.map(({ values }) => values[0]);

describe("the contract", () => {
  it("names default packages without touching a file or the network", () => {
    const before = globalThis.fetch;
    globalThis.fetch = () => {
      throw new Error("the network was asked");
    };
    try {
      for (const name of autoModelNames()) {
        const model = autoModel(name);
        expect(model).toBeInstanceOf(AutoModel);
        // A cache that cannot exist: whoever looked into it would fail.
        const files = model.loadDefaultPackage({ cache: "/dev/null/cache" });
        expect(files.uri).toBe(publishedModel(name).uri);
      }
    } finally {
      globalThis.fetch = before;
    }
  });

  it("has a loader for each model that is called loadable, and a reason for every other", () => {
    const loadable = publishedModels().filter((model) => model.notLoadable === undefined);
    expect(loadable.map((model) => model.name).sort()).toEqual(autoModelNames().sort());
    for (const model of publishedModels()) {
      if (model.notLoadable !== undefined) expect(() => autoModel(model.name)).toThrow(model.notLoadable);
    }
    expect(() => autoModel("fourcastnett")).toThrow(/no published model/);
  });

  it("covers every default package of Earth2Studio, pins included", () => {
    const names = publishedModels().flatMap((model) => model.aliases);
    for (const name of [
      "FCN",
      "FCN3",
      "SFNO",
      "DLWP",
      "Pangu3",
      "Pangu6",
      "Pangu24",
      "FuXi",
      "FengWu",
      "GraphCastSmall",
      "AIFS2",
      "Aurora1p5",
      "StormCast",
      "Atlas",
      "ClimateNet",
      "HealDA",
      "CorrDiffTaiwan",
      "UCast",
    ]) {
      expect(names).toContain(name);
    }
    expect(new Set(publishedModels().map((model) => model.name)).size).toBe(publishedModels().length);
    const pins = publishedModels().filter((model) => /^hf:.*@[0-9a-f]{40}$/.test(model.uri));
    expect(pins.length).toBeGreaterThan(15);
  });

  it("lets a user write one, and load it from an address", async () => {
    const uri = packages.write("mine", undefined, { "step.txt": "3" });
    class Mine extends AutoModel {
      readonly name = "mine";
      loadDefaultPackage() {
        return autoModel("persistence").loadDefaultPackage();
      }
      override async loadModel(files: Parameters<AutoModel["loadModel"]>[0]) {
        const step = Number(readFileSync(await files.resolve("step.txt"), "utf8"));
        const description = { inChannelNames: ["t2m"], grid: "s2s", timeStep: step * hours };
        return autoModel("persistence").loadModel(files, { description });
      }
    }
    using model = await new Mine().fromPretrained(uri);
    expect(model.timeStep).toBe(3 * hours);
  });
});

describe("persistence", () => {
  it("works on the channels that are said", async () => {
    using model = await getModel("builtin://persistence", {
      metadata: { architecture: "persistence", in_channels_names: ["t2m", "z500"], grid: "s2s", time_step: "PT12H" },
    });
    expect(model).toMatchObject({ inChannelNames: ["t2m", "z500"], timeStep: 12 * hours, name: "persistence" });
    await expect(getModel("e2mip://persistence")).rejects.toMatchObject({ code: "config" });
  });
});

describe("Pangu-Weather", () => {
  /** Adds a number to all fields, in Pangu's layout. */
  const adds = (amount: number) =>
    onnxFile({
      inputs: { input: [5, 13, ny, nx], input_surface: [4, ny, nx] },
      outputs: { output: [5, 13, ny, nx], output_surface: [4, ny, nx] },
      nodes: [
        ["Add", ["input", "amount"], ["output"]],
        ["Add", ["input_surface", "amount"], ["output_surface"]],
      ],
      constants: [{ name: "amount", values: [amount], dims: [] }],
    });
  const files = {
    "pangu_weather_24.onnx": adds(100),
    "pangu_weather_6.onnx": adds(1),
    "pangu_weather_3.onnx": adds(0.25),
    "pangu_weather_1.onnx": adds(0.0625),
  };
  const uri = packages.write("pangu", { entrypoint: { name: "earth2mip.networks.pangu:load" } }, files);

  it("interleaves 24 h and 6 h, so that short steps never enter the chain of long ones", async () => {
    using model = await getModel(uri);
    expect(model.inChannelNames).toEqual(channelSet("var_pangu"));
    expect(model.grid.shape).toEqual([ny, nx]);
    using x = constantState(model, () => 0);
    const found = await items(model, start, x, 9);
    expect(firsts(found)).toEqual([0, 1, 2, 3, 100, 101, 102, 103, 200]);
    expect(found.map(({ times }) => (times[0]! - start) / hours)).toEqual([0, 6, 12, 18, 24, 30, 36, 42, 48]);
    // All 69 channels went through, each to its own place.
    expect(new Set(found[8]!.values)).toEqual(new Set([200]));
  });

  it("interleaves 24, 6 and 3 h", async () => {
    using model = await autoModel("pangu_3").fromPretrained(uri);
    using x = constantState(model, () => 0);
    // 3 | 6, 9 | 12, 15 | 18, 21 | 24
    expect(firsts(await items(model, start, x, 10))).toEqual([0, 0.25, 1, 1.25, 2, 2.25, 3, 3.25, 100, 100.25]);
  });

  it("has the loaders of earth2mip", async () => {
    const steps: [string, object, number, number][] = [
      ["load_24", {}, 24, 100],
      ["load_6", {}, 6, 1],
      ["load_single_model", {}, 24, 100],
      ["load_single_model", { time_step_hours: 6 }, 6, 1],
      ["load", { time_step_hours: 3 }, 3, 0.25],
      ["load_24substep6", {}, 6, 1],
    ];
    for (const [name, kwargs, step, first] of steps) {
      const metadata = { entrypoint: { name: `earth2mip.networks.pangu:${name}`, kwargs } };
      using model = await getModel(uri, { metadata });
      expect([name, model.timeStep]).toEqual([name, step * hours]);
      using x = constantState(model, () => 0);
      expect(firsts(await items(model, start, x, 2))).toEqual([0, first]);
    }
    const wrong = { entrypoint: { name: "earth2mip.networks.pangu:load", kwargs: { time_step_hours: 5 } } };
    await expect(getModel(uri, { metadata: wrong })).rejects.toThrow("must be one of 24, 6, 3, 1, got 5");
  });

  it("runs members and dates as rows, and keeps channels apart", async () => {
    using model = await autoModel("pangu_24").fromPretrained(uri);
    using x = constantState(model, (channel, _, row) => channel + 1000 * row, 2);
    const [, next] = await items(model, [start, start + 24 * hours], x, 2);
    expect(next!.times).toEqual([start + 24 * hours, start + 48 * hours]);
    const cells = ny * nx;
    for (const [row, channel] of [
      [0, 0],
      [0, 64],
      [0, 65],
      [1, 68],
    ] as const) {
      expect(next!.values[(row * 69 + channel) * cells]).toBe(channel + 1000 * row + 100);
    }
  });

  it("says what is missing or different", async () => {
    const none = packages.write("pangu-none", undefined, { "pangu_weather_6.onnx": files["pangu_weather_6.onnx"] });
    await expect(autoModel("pangu").fromPretrained(none)).rejects.toThrow("has no pangu_weather_24.onnx");
    const other = onnxFile({ inputs: { x: [1] }, outputs: { y: [1] }, nodes: [["Identity", ["x"], ["y"]]] });
    const wrong = packages.write("pangu-wrong", undefined, { "pangu_weather_24.onnx": other });
    await expect(autoModel("pangu_24").fromPretrained(wrong)).rejects.toThrow('has no input "input"');
  });
});

describe("FengWu", () => {
  // The next state goes on as the last two went; the one after that is left out.
  const extrapolates = onnxFile({
    inputs: { input: ["batch", 138, ny, nx] },
    outputs: { output: ["batch", 138, ny, nx] },
    nodes: [
      ["Split", ["input"], ["older", "newer"], { axis: { int: 1 } }],
      ["Sub", ["newer", "older"], ["trend"]],
      ["Add", ["newer", "trend"], ["next"]],
      ["Mul", ["next", "nonsense"], ["later"]],
      ["Concat", ["next", "later"], ["output"], { axis: { int: 1 } }],
    ],
    constants: [{ name: "nonsense", values: [-7], dims: [] }],
  });
  const uri = packages.write("fengwu", undefined, {
    "fengwu_v1.onnx": extrapolates,
    "global_means.npy": npy(fengwuChannels.map((_, i) => i)),
    "global_stds.npy": npy(fengwuChannels.map((_, i) => i + 1)),
  });

  it("takes two states on the channels and the first half of the output", async () => {
    using model = await autoModel("fengwu").fromPretrained(uri);
    expect(model).toMatchObject({ nHistoryLevels: 2, historyTimeStep: 6 * hours, timeStep: 6 * hours });
    expect(model.inChannelNames).toHaveLength(69);
    expect(model.inChannelNames.slice(0, 5)).toEqual(["u10m", "v10m", "t2m", "msl", "z50"]);
    expect(model.inChannelNames.at(-1)).toBe("t1000");
    // In physical units the trend of channel c is 2c per step, whatever the normalisation.
    using x = constantState(model, (channel, level) => 10 + level * 2 * channel);
    const found = await items(model, start, x, 4);
    for (const channel of [0, 4, 68]) {
      const values = found.map(({ values }) => values[channel * ny * nx]!);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(10 + (i + 1) * 2 * channel, 3);
    }
  });

  it("reads the authors' names of the tables, and refuses tables of another length", async () => {
    const names = packages.write("fengwu-authors", undefined, {
      "fengwu_v2.onnx": extrapolates,
      "data_mean.npy": npy(fengwuChannels.map(() => 0)),
      "data_std.npy": npy(fengwuChannels.map(() => 1)),
    });
    using _ = await autoModel("fengwu").fromPretrained(names);
    const short = packages.write("fengwu-short", undefined, {
      "fengwu_v1.onnx": extrapolates,
      "global_means.npy": npy([1]),
      "global_stds.npy": npy([1]),
    });
    await expect(autoModel("fengwu").fromPretrained(short)).rejects.toThrow("the table has 1 numbers for 69 channels");
  });
});

describe("FuXi", () => {
  /** Next two states: the newer one, and the newer one plus `amount` plus the weighted embedding of the time. */
  const stage = (amount: number, weights = new Array<number>(12).fill(0)) =>
    onnxFile({
      inputs: { input: [1, 2, 70, ny, nx], temb: [1, 12] },
      outputs: { output: [1, 2, 70, ny, nx] },
      nodes: [
        ["Split", ["input"], ["older", "newer"], { axis: { int: 1 } }],
        ["MatMul", ["temb", "weights"], ["sum"]],
        ["Add", ["newer", "amount"], ["moved"]],
        ["Add", ["moved", "sum"], ["next"]],
        ["Concat", ["newer", "next"], ["output"], { axis: { int: 1 } }],
      ],
      constants: [
        { name: "amount", values: [amount], dims: [] },
        { name: "weights", values: weights, dims: [12, 1] },
      ],
    });

  it("goes from file to file after 20 and 40 steps", async () => {
    const uri = packages.write("fuxi", undefined, {
      "short.onnx": stage(1),
      "medium.onnx": stage(100),
      "long.onnx": stage(10_000),
    });
    using model = await autoModel("fuxi").fromPretrained(uri);
    expect(model).toMatchObject({ nHistoryLevels: 2, timeStep: 6 * hours });
    expect(model.inChannelNames).toEqual(fuxiChannels);
    using x = constantState(model, (channel) => (fuxiChannels[channel] === "tp06" ? 0.002 : 0));
    for (let run = 0; run < 2; run++) {
      // The second time it starts with the first file again.
      const found = await items(model, start, x, 43);
      expect(firsts(found)).toEqual(
        Array.from(
          { length: 43 },
          (_, n) => Math.min(n, 20) + 100 * Math.max(0, Math.min(n - 20, 20)) + 10_000 * Math.max(0, n - 40),
        ),
      );
      // Precipitation: 2 mm go in, the network adds millimetres, metres come out.
      const rain = found[1]!.values[69 * ny * nx]!;
      expect(rain).toBeCloseTo(0.003, 6);
    }
  });

  it("gives the embedding of the time before each step", async () => {
    const weights = Array.from({ length: 12 }, (_, i) => 2 ** i);
    const files = { "short.onnx": stage(0, weights), "medium.onnx": stage(0), "long.onnx": stage(0) };
    using model = await autoModel("fuxi").fromPretrained(packages.write("fuxi-time", undefined, files));
    const times = [Date.UTC(2020, 11, 31, 12) / 1000, start];
    using x = constantState(model, () => 0, 2);
    const found = await items(model, times, x, 3);
    for (const [row, time] of times.entries()) {
      const sum = (at: number) => timeEmbedding(at).reduce((total, value, i) => total + value * weights[i]!, 0);
      const expected = sum(time) + sum(time + 6 * hours);
      expect(found[2]!.values[row * 70 * ny * nx]! / expected).toBeCloseTo(1, 5);
    }
  });

  it("computes that embedding as NumPy does", () => {
    const cases = JSON.parse(readFileSync(golden("forecast", "fuxi_time_embedding.json"), "utf8")) as Record<
      string,
      number[]
    >;
    for (const [time, expected] of Object.entries(cases)) {
      for (const [i, value] of timeEmbedding(Date.parse(time) / 1000).entries())
        expect(value).toBeCloseTo(expected[i]!, 12);
    }
  });

  it("takes missing or negative precipitation of the initial state for none", async () => {
    const files = { "short.onnx": stage(0), "medium.onnx": stage(0), "long.onnx": stage(0) };
    using model = await autoModel("fuxi").fromPretrained(packages.write("fuxi-rain", undefined, files));
    using x = constantState(model, (channel, _, row) => (channel === 69 ? [Number.NaN, -1][row]! : 1), 2);
    const [, next] = await items(model, start, x, 2);
    expect([0, 1].map((row) => next!.values[(row * 70 + 69) * ny * nx])).toEqual([0, 0]);
  });
});

describe("FourCastNet", () => {
  const channels = ["t2m", "z500"];
  const statistics = { "global_means.npy": npy([10, 20], [1, 2, 1, 1]), "global_stds.npy": npy([2, 4], [1, 2, 1, 1]) };
  /** Golden output of the network of the checkpoints, for its golden input. */
  const { shape, output } = readCase("afno_tall");

  /** What one step must give, in physical units, from the golden input as normalised state. */
  async function expectGolden(uri: string): Promise<void> {
    using model = await getModel(uri, { precision: "fp32" });
    expect(model.inChannelNames).toEqual(channels);
    expect(model.grid.shape).toEqual([36, 20]);
    await torch.scopeAsync(async () => {
      const scale = (x: Tensor) =>
        x
          .permute([0, 3, 1, 2])
          .mul(torch.tensor([2, 4]).reshape([1, 2, 1, 1]))
          .add(torch.tensor([10, 20]).reshape([1, 2, 1, 1]));
      const x = scale(inputOf(shape)).unsqueeze(1);
      for await (const item of model.run(start, x)) {
        if (item.time === start) continue;
        expect(relativeDifference(item.output, scale(output))).toBeLessThan(2e-5);
        break;
      }
    });
  }

  const metadata = (rest: object = {}) => ({
    entrypoint: { name: "earth2mip.networks.fcn:load" },
    in_channels_names: channels,
    ...rest,
  });
  const grid = { kind: "latlon", lat0: 90, dlat: 5, ny: 36, lon0: 0, dlon: 18, nx: 20 };

  it("loads PhysicsNeMo's checkpoint, whose sizes are in it", async () => {
    await expectGolden(
      packages.write("fcn", metadata(), { "fcn.mdlus": readFileSync(golden("models", "fcn.mdlus")), ...statistics }),
    );
  });

  it("loads the checkpoint of the first publication, as the training script saved it", async () => {
    await expectGolden(
      packages.write("fcn-backbone", metadata({ grid }), {
        "backbone.ckpt": readFileSync(golden("models", "fourcastnet.tar")),
        ...statistics,
      }),
    );
  });

  it("loads both from a zip, as NGC has them", async () => {
    await expectGolden(
      packages.write("fcn-zip", metadata(), {
        "fcn.zip": zipOf({
          "fcn/fcn.mdlus": readFileSync(golden("models", "fcn.mdlus")),
          "fcn/global_means.npy": statistics["global_means.npy"],
          "fcn/global_stds.npy": statistics["global_stds.npy"],
        }),
      }),
    );
  });

  it("says what does not go together", async () => {
    const files = { "fcn.mdlus": readFileSync(golden("models", "fcn.mdlus")), ...statistics };
    const bare = packages.write("fcn-bare", undefined, files);
    await expect(autoModel("fcn").fromPretrained(bare)).rejects.toThrow("the network has 2 channels, and 0 are named");
    const noGrid = packages.write("fcn-nogrid", metadata(), {
      "backbone.ckpt": readFileSync(golden("models", "fourcastnet.tar")),
      ...statistics,
    });
    await expect(getModel(noGrid)).rejects.toThrow(/the network has 45 patches of 4×4 cells, a grid of 720×1440/);
    const other = packages.write("fcn-other", undefined, {
      ...files,
      "fcn.mdlus": readFileSync(golden("models", "dlwp.mdlus")),
    });
    await expect(autoModel("fcn").fromPretrained(other)).rejects.toThrow("it is not of an AFNO");
    const stats = packages.write("fcn-stats", metadata(), { ...files, "global_means.npy": npy([1]) });
    await expect(getModel(stats)).rejects.toThrow("the table has 1 numbers for 2 channels");
  });
});

describe("DLWP", () => {
  it("has the network of PhysicsNeMo", async () => {
    const { tensors, args } = await readCheckpoint(golden("models", "dlwp.mdlus"));
    expect(args).toMatchObject({ nr_initial_channels: 6, clamp_activation: [null, 0.5] });
    torch.scope(() => {
      const network = new DlwpNetwork({ inputs: 5, outputs: 4, features: 6, depth: 2, clamp: [null, 0.5] });
      network.loadStateDict(tensors);
      const data = torch.load(golden("models", "dlwp.pt")) as Map<string, Tensor>;
      const y = torch.noGrad(() => network.forward(data.get("x")!));
      expect(relativeDifference(y, data.get("y")!)).toBeLessThan(1e-5);
    });
    torch.dispose(tensors);
  });

  const side = 4;
  const cells = 6 * side * side;
  const points = ny * nx;
  const latitudes = Float64Array.from({ length: cells }, (_, i) => 80 - i);
  const longitudes = Float64Array.from({ length: cells }, (_, i) => 3.5 * i);

  async function netcdf(path: string, variables: Readonly<Record<string, Float64Array | Int32Array>>): Promise<void> {
    mkdirSync(dirname(path), { recursive: true });
    const writer = await NetcdfWriter.create(path, {});
    for (const n of new Set(Object.values(variables).map((values) => values.length))) {
      const counted = Int32Array.from({ length: n }, (_, i) => i);
      await writer.writeArray({ name: `n_${n}`, dimensions: [`n_${n}`], shape: [n], dataType: "int32" }, counted);
    }
    for (const [name, values] of Object.entries(variables)) {
      const dataType = values instanceof Int32Array ? "int32" : "float64";
      await writer.writeArray({ name, dimensions: [`n_${values.length}`], shape: [values.length], dataType }, values);
    }
    await writer.close();
  }

  /** A package in the published layout: cell k of the cube is point k mod 12, point p is cell p. */
  async function dlwpPackage(name: string): Promise<string> {
    const folder = packages.write(
      name,
      {
        entrypoint: { name: "earth2mip.networks.dlwp:load" },
        grid: { kind: "latlon", lat0: 90, dlat: 90, ny, lon0: 0, dlon: 90, nx },
      },
      {
        "global_means.npy": npy([1, 2, 3, 4, 5, 6, 7], [1, 7, 1, 1]),
        "global_stds.npy": npy([2, 2, 2, 2, 2, 2, 2], [1, 7, 1, 1]),
      },
    );
    const ones = (n: number) => new Float64Array(n).fill(1);
    const count = (n: number, value: (i: number) => number) => Int32Array.from({ length: n }, (_, i) => value(i));
    await netcdf(join(folder, "map_LL721x1440_CS64.nc"), {
      row: count(cells, (i) => i + 1),
      col: count(cells, (i) => (i % points) + 1),
      S: ones(cells),
    });
    await netcdf(join(folder, "map_CS64_LL721x1440.nc"), {
      row: count(points, (i) => i + 1),
      col: count(points, (i) => i + 1),
      S: ones(points),
    });
    await netcdf(join(folder, "latlon_grid_field_rs_cs.nc"), { latgrid: latitudes, longrid: longitudes });
    await netcdf(join(folder, "land_sea_mask_rs_cs.nc"), {
      lsm: Float64Array.from({ length: cells }, (_, i) => i % 2),
    });
    await netcdf(join(folder, "geopotential_rs_cs.nc"), { z: Float64Array.from({ length: cells }, () => 3724 + 8349) });
    return folder;
  }

  /** A network whose answer shows where each of its 18 inputs is. */
  class Shown extends torch.nn.Module {
    constructor(readonly pick: readonly [number, number]) {
      super();
    }
    override forward(x: Tensor): Tensor {
      const newer = x.narrow(1, 8, 7);
      const [a, b] = this.pick.map((channel) => x.narrow(1, channel, 1)) as [Tensor, Tensor];
      return torch.cat([newer.add(a), newer.add(b)], { dim: 1 });
    }
  }

  async function withNetwork(name: string, pick: readonly [number, number]) {
    const folder = await dlwpPackage(name);
    using graph = torch.trace(new Shown(pick), torch.randn([2, 18, 6, side, side]));
    torch.jit.save(graph, join(folder, "scripted_model.pt"));
    return getModel(folder);
  }

  it("makes two steps of 6 h from one call, through the maps", async () => {
    // Inputs 16 and 17: the land-sea mask (cell 0 is sea), and the orography, normalised to 1.
    using model = await withNetwork("dlwp", [16, 17]);
    expect(model).toMatchObject({ nHistoryLevels: 2, historyTimeStep: 6 * hours, timeStep: 6 * hours });
    using x = constantState(model, (channel, level) => 100 * channel + level);
    const found = await items(model, start, x, 6);
    // Newest state 1: +0 after 6 h, + one deviation (2) after 12 h, from where it goes on.
    expect(firsts(found)).toEqual([1, 1, 3, 3, 5, 5]);
    // The second point is land.
    expect(found.map(({ values }) => values[1])).toEqual([1, 3, 3, 5, 5, 7]);
    expect(found[5]!.values[3 * points]).toBe(305);
  });

  it("gives the sun's height at the cells, now and six hours ago, for each row's own time", async () => {
    using model = await withNetwork("dlwp-sun", [7, 15]);
    using x = constantState(model, () => 0, 2);
    const times = [start, start + 9 * hours];
    const found = await items(model, times, x, 3);
    const sun = (time: number, cell: number) =>
      Math.max(0, cosZenith(time, latitudes[cell]!, longitudes[cell]!)) - 1 / Math.PI;
    for (const [row, time] of times.entries()) {
      for (const cell of [0, 7, 11]) {
        const at = row * 7 * points + cell;
        expect(found[1]!.values[at]).toBeCloseTo(2 * sun(time - 6 * hours, cell), 5);
        expect(found[2]!.values[at]).toBeCloseTo(2 * sun(time, cell), 5);
      }
    }
  });

  it("goes on from a restart in the middle of a pair, bit for bit", async () => {
    using model = await withNetwork("dlwp-restart", [15, 17]);
    using x = constantState(model, (channel) => channel);
    const full = await items(model, start, x, 5);
    let restart: unknown;
    for await (const item of model.run(start, x)) {
      item.output.dispose();
      if (item.time !== start + 6 * hours) continue;
      restart = item.restart;
      break;
    }
    const rest: number[][] = [];
    for await (const { output } of model.run(0, undefined, restart)) {
      rest.push([...(output.toTypedArray() as Float32Array)]);
      output.dispose();
      if (rest.length === 4) break;
    }
    (restart as Disposable)[Symbol.dispose]();
    expect(rest).toEqual(full.slice(1).map(({ values }) => values));
  });

  it("loads a state dict, frees everything, and refuses a network of another size", async () => {
    const folder = await dlwpPackage("dlwp-mdlus");
    // 18 inputs, 14 outputs.
    torch.scope(() => {
      const network = new DlwpNetwork({ inputs: 18, outputs: 14, features: 4 });
      fillByFormula(network);
      torch.safetensors.save(join(folder, "dlwp.safetensors"), network.stateDict());
    });
    const before = torch.memoryStats().liveTensors;
    {
      using model = await getModel(folder);
      using x = constantState(model, (channel) => channel);
      const found = await items(model, start, x, 4);
      expect(found[3]!.values.every(Number.isFinite)).toBe(true);
      expect(found[3]!.values).not.toEqual(found[1]!.values);
    }
    expect(torch.memoryStats().liveTensors).toBe(before);
    copyFileSync(golden("models", "dlwp.mdlus"), join(folder, "dlwp.mdlus"));
    using wrong = await getModel(folder);
    using x = constantState(wrong, () => 0);
    await expect(items(wrong, start, x, 2)).rejects.toThrow();
  });
});
