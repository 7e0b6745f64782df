import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { NamedTensor } from "../tensor/named-tensor.js";
import { batches, numBatches, sampleOrder } from "./batches.js";
import type { Dataset, ItemBatch } from "./dataset.js";
import { collate, disposeBatch } from "./dataset.js";
import { createItem, describeItem } from "./item.js";
import { createNormal, createRandom } from "./random.js";
import { openDataset } from "./registry.js";

const options = { numInputSteps: 2, numPredStepsTrain: 1, numPredStepsValTest: 3 };
const { train, valid, info } = await openDataset("dummy", options);

async function starts(dataset: Dataset, batchOptions: Parameters<typeof batches>[1]): Promise<number[][]> {
  const out: number[][] = [];
  for await (const batch of batches(dataset, batchOptions)) {
    out.push(batch.times.inputs.map((times) => times[0]!));
    disposeBatch(batch);
  }
  return out;
}

describe("dummy dataset", () => {
  it("has the reference's sizes and statistics", () => {
    expect([train.length, valid.length]).toEqual([10, 10]);
    expect(info.grid.shape).toEqual([64, 64]);
    expect(info.features.map((f) => f.name)).toEqual(["input_output_00", "input_output_01", "input_output_02"]);
    expect(info.forcingNames).toEqual(["input_00", "input_01"]);
    expect(info.borderSize).toBe(10);
    expect(info.statics.names).toEqual(["x", "y", "geopotential", "border_mask"]);
    expect(info.statics.interiorMask.reduce((a, b) => a + b, 0)).toBe(44 * 44);
    expect(info.stats.input_output_00).toEqual({ mean: 0, std: 1, min: -3, max: 3 });
    expect(info.diffStats.input_output_02!.std).toBe(1.42);
  });

  it("is the same every time and looks normal", async () => {
    const again = await openDataset("dummy", options);
    const [a, b] = [await train.item(3), await again.train.item(3)];
    expect(a.inputs.equals(b.inputs)).toBe(true);
    expect(again.info.features).toEqual(info.features);
    const values = a.inputs.tensor;
    expect(Math.abs(values.mean().item())).toBeLessThan(0.05);
    expect(values.std().item()).toBeCloseTo(1, 1);
    expect(values.abs().max().item()).toBeLessThanOrEqual(3);
  });
});

describe("batches", () => {
  it("stack samples with their times", async () => {
    const shapes: number[][] = [];
    const before = torch.memoryStats().liveTensors;
    let last: ItemBatch | undefined;
    for await (const batch of batches(valid, { batchSize: 4 })) {
      expect(batch.inputs.names).toEqual(["batch", "timestep", "lat", "lon", "features"]);
      expect([batch.batchSize, batch.numInputSteps, batch.numPredSteps]).toEqual([batch.inputs.shape[0], 2, 3]);
      shapes.push(batch.outputs.shape);
      last = batch;
      disposeBatch(batch);
    }
    expect(shapes).toEqual([
      [4, 3, 64, 64, 3],
      [4, 3, 64, 64, 3],
      [2, 3, 64, 64, 3],
    ]);
    expect(last!.times.outputs).toEqual([valid.times(8).outputs, valid.times(9).outputs]);
    expect(torch.memoryStats().liveTensors).toBe(before);
  });

  it("come in an order that (seed, epoch) fixes", async () => {
    const plain = await starts(train, { batchSize: 3 });
    const first = await starts(train, { batchSize: 3, shuffleSeed: 1, epoch: 0 });
    expect(plain.flat()).toEqual([...plain.flat()].sort((a, b) => a - b));
    expect(await starts(train, { batchSize: 3, shuffleSeed: 1, epoch: 0 })).toEqual(first);
    expect(await starts(train, { batchSize: 3, shuffleSeed: 1, epoch: 1 })).not.toEqual(first);
    expect(await starts(train, { batchSize: 3, shuffleSeed: 2, epoch: 0 })).not.toEqual(first);
    expect(first.flat().sort((a, b) => a - b)).toEqual(plain.flat());
  });

  it("resume where they stopped, and respect limits", async () => {
    const order = { batchSize: 3, shuffleSeed: 7, epoch: 2 };
    const whole = await starts(train, order);
    expect(await starts(train, { ...order, startAt: 2 })).toEqual(whole.slice(2));
    expect(await starts(train, { ...order, limit: 3, startAt: 1 })).toEqual(whole.slice(1, 3));
    expect(await starts(train, { ...order, dropLast: true })).toEqual(whole.slice(0, 3));
    expect(await starts(train, { ...order, startAt: 9 })).toEqual([]);
    expect(numBatches(train, { batchSize: 3 })).toBe(4);
    expect(numBatches(train, { batchSize: 3, dropLast: true, limit: 9 })).toBe(3);
    expect(() => numBatches(train, { batchSize: 0 })).toThrow(/at least 1, got 0/);
  });

  it("shuffle every sample equally far", () => {
    const counts = new Float64Array(16);
    for (let epoch = 0; epoch < 4000; epoch++)
      counts[sampleOrder(4, 5, epoch).indexOf(0) * 4 + sampleOrder(4, 5, epoch).indexOf(3)]!++;
    for (let a = 0; a < 4; a++)
      for (let b = 0; b < 4; b++) if (a !== b) expect(Math.abs(counts[a * 4 + b]! / 4000 - 1 / 12)).toBeLessThan(0.02);
  });

  it("are loaded ahead while the caller works, and become tensors when they are due", async () => {
    const asked: string[] = [];
    const watched: Dataset = {
      info,
      length: 8,
      loadAhead: 2,
      times: (i) => train.times(i),
      item: (i) => train.item(i),
      async load(samples, options) {
        asked.push(`load ${samples.join("+")}`);
        const loaded = await train.load!(samples, options);
        return {
          toBatch() {
            asked.push(`tensors ${samples[0]}`);
            return loaded.toBatch();
          },
          release() {
            asked.push(`release ${samples[0]}`);
            loaded.release();
          },
        };
      },
    };
    const before = torch.memoryStats().liveTensors;
    for await (const batch of batches(watched, { batchSize: 2 })) {
      expect(batch.waitSeconds).toBeGreaterThan(0);
      disposeBatch(batch);
      asked.push("work");
      if (asked.filter((what) => what === "work").length === 2) break;
    }
    await new Promise(setImmediate);
    expect(asked).toEqual(
      ["load 0+1", "tensors 0", "load 2+3", "load 4+5", "work", "tensors 2", "load 6+7", "work"].concat(
        "release 4",
        "release 6",
      ),
    );
    expect(torch.memoryStats().liveTensors).toBe(before);
  });

  it("come from datasets that only give samples, too", async () => {
    const plain: Dataset = { info, length: 4, times: (i) => train.times(i), item: (i) => train.item(i) };
    const [first] = [await batches(plain, { batchSize: 2 }).next(), 0];
    const [same] = [await batches(train, { batchSize: 2 }).next(), 0];
    expect(first.value.outputs.equals(same.value.outputs)).toBe(true);
    expect(first.value.times).toEqual(same.value.times);
  });

  it("use memory again only when no tensor is left over it", async () => {
    const loop = batches(train, { batchSize: 2 });
    const first = (await loop.next()).value as ItemBatch;
    const kept = first.inputs.tensor.select(0, 1);
    const copy = kept.clone();
    disposeBatch(first);
    for (let k = 0; k < 3; k++) disposeBatch((await loop.next()).value as ItemBatch);
    expect(kept.equal(copy)).toBe(true);
  });
});

describe("random numbers", () => {
  it("are uniform, normal and the same everywhere", () => {
    const random = createRandom(42);
    expect([random(), random()]).toEqual([expect.any(Number), expect.any(Number)]);
    const values = Array.from({ length: 20_000 }, createRandom(1, 2));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(0.5, 1);
    const lag = values.slice(1).reduce((sum, v, i) => sum + (v - 0.5) * (values[i]! - 0.5), 0) / values.length;
    expect(Math.abs(lag)).toBeLessThan(0.003);
    const normals = Array.from({ length: 20_000 }, createNormal(createRandom(3)));
    expect(normals.reduce((a, b) => a + b * b) / normals.length).toBeCloseTo(1, 1);
    expect(createRandom(1)()).not.toBe(createRandom(1 + 2 ** 32)());
    expect(() => createRandom(0.5)).toThrow(/whole number/);
  });
});

describe("items (reference case 13)", () => {
  const part = (features: string[], steps = 1, third = "lon", nx = 3) =>
    new NamedTensor(
      torch.zeros([steps, 2, nx, features.length]),
      ["timestep", "lat", third, "features"],
      features,
    ) as never;
  const times = { inputs: [0], outputs: [1] };

  it("must fit together", () => {
    const good = { inputs: part(["a", "b"]), outputs: part(["a", "b"]), forcing: part(["f"]), times };
    expect(createItem(good)).toBe(good);
    expect(describeItem(good)).toContain("│ b            │   0 │   0 │");
    const withDiagnostic = { ...good, outputs: part(["a", "b", "c", "d"]) };
    expect(createItem(withDiagnostic)).toBe(withDiagnostic);
    expect(() => createItem({ ...good, outputs: part(["a"]) })).toThrow(
      /features \(a, b\), outputs \(a\), which must begin with them/,
    );
    expect(() => createItem({ ...good, outputs: part(["f_0", "f_1"]) })).toThrow(/features/);
    expect(() => createItem({ ...good, outputs: part(["a", "b"], 1, "wrong_name") })).toThrow(
      /outputs have dimensions \(timestep, lat, wrong_name/,
    );
    expect(() => createItem({ ...good, forcing: part(["f"], 1, "lon", 4) })).toThrow(
      /forcing have 4 points along "lon", inputs 3/,
    );
    expect(() => createItem({ ...good, forcing: part(["f"], 2) })).toThrow(/forcing has 2 time steps, outputs 1/);
    expect(() => createItem({ ...good, times: { inputs: [0, 1], outputs: [2] } })).toThrow(/2 \+ 1 times/);
    expect(() => collate([])).toThrow(/no samples/);
    expect(() => collate([good, { ...good, inputs: part(["a", "c"]) }])).toThrow(/features/);
  });
});

it("an unknown dataset names the known ones", async () => {
  await expect(openDataset("dumy", options)).rejects.toThrow(
    expect.objectContaining({ hint: expect.stringMatching(/Did you mean "dummy"\? .*gridded, synthetic, titan/) }),
  );
});

it("datasets that make their own values refuse data, and dummy a configuration, instead of not reading them", async () => {
  const overrides = { source: "era5.nc" };
  for (const name of ["dummy", "synthetic"]) {
    await expect(openDataset(name, { ...options, overrides })).rejects.toMatchObject({
      code: "usage",
      message: `the dataset ${name} makes its own values and reads no data, got era5.nc`,
      hint: expect.stringContaining("--dataset gridded"),
    });
  }
  await expect(openDataset("dummy", { ...options, confPath: "my.toml" })).rejects.toThrow(
    /has no settings, got .*my\.toml/,
  );
});
