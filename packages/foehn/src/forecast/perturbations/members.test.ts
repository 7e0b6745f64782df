// Members through the rollout: what a member is does not depend on batches and shards.

import { describe, expect, it } from "vitest";
import { latLonGrid } from "../../grid/grid.js";
import { arraySource } from "../../sources/array-source.js";
import { stateReader } from "../initial-state.js";
import type { ForecastOutput } from "../outputs/output.js";
import { PersistenceLoop } from "../persistence-loop.js";
import { runForecast } from "../rollout.js";
import { channelStds } from "./perturbation.js";
import { createPerturbation, type PerturbationSettings } from "./registry.js";

const grid = latLonGrid([60, 20, -20, -60], [0, 90, 180, 270]);
const features = [
  { name: "t2m", units: "K", longName: "2 metre temperature", role: "prognostic" as const, weight: 1 },
  { name: "msl", units: "Pa", longName: "Mean sea level pressure", role: "prognostic" as const, weight: 1 },
];
const step = 21_600;
const dates = [0, step, 2 * step];
const fields = new Map([
  ["t2m", Float32Array.from({ length: 48 }, (_, i) => 270 + i)],
  ["msl", Float32Array.from({ length: 48 }, (_, i) => 1e5 + 10 * i)],
]);

/** Every field of every date, member and lead, by its indices. */
class Collector implements ForecastOutput {
  readonly fields = new Map<string, string>();
  readonly numbers: number[] = [];
  async open() {}
  async write(step: Parameters<ForecastOutput["write"]>[0]) {
    const key = [step.initialIndex, step.memberIndex, step.leadIndex].join(" ");
    expect(this.fields.has(key)).toBe(false);
    this.fields.set(key, step.fields.map((field) => field.join()).join(";"));
    for (const field of step.fields) this.numbers.push(...field);
  }
  async close() {
    return undefined;
  }
  async abort() {}
}

async function run(kind: string, settings: PerturbationSettings, options: Partial<Parameters<typeof runForecast>[0]>) {
  const output = new Collector();
  const loop = new PersistenceLoop({ features, grid, stepSeconds: step });
  await runForecast({
    loop,
    reader: stateReader(arraySource({ grid, times: dates, fields }), features, grid),
    initialTimes: dates.slice(1),
    steps: 2,
    variables: features,
    outputs: [output],
    members: 5,
    perturbation: createPerturbation(kind, settings),
    channelStds: channelStds(loop.inChannelNames, { stats: {} }, false),
    ...options,
  });
  return output;
}

describe("members", () => {
  it.each([
    ["gaussian", {}],
    ["correlated", { reddening: 1.5 }],
    ["spherical_grf", {}],
    ["bred_vector", { breeding: { cycles: 2, centred: true } }],
    ["lagged", { lags: [0, -step, step, -step, 0] }],
  ] as const)("of %s are the same in batches of 1, 2, 11 and in three shards", async (kind, settings) => {
    const initialTimes = [dates[1]!];
    const reference = await run(kind, settings, { initialTimes });
    expect(reference.fields.size).toBe(5 * 3);
    expect(reference.numbers.every((value) => Number.isFinite(value) && value !== 0)).toBe(true);
    for (const batchSize of [2, 11]) {
      const other = await run(kind, settings, { initialTimes, batchSize });
      expect(Object.fromEntries(other.fields)).toEqual(Object.fromEntries(reference.fields));
    }
    const shards = await Promise.all(
      [0, 1, 2].map((shard) => run(kind, settings, { initialTimes, shard, nShards: 3, batchSize: 2 })),
    );
    const merged = shards.flatMap(({ fields }) => [...fields]);
    expect(merged.length).toBe(15);
    expect(Object.fromEntries(merged)).toEqual(Object.fromEntries(reference.fields));
  });

  it("are the control and others, on every date", async () => {
    const { fields: made } = await run("gaussian", { seed: 4 }, { batchSize: 3 });
    const plain = await run("none", {}, { members: 1 });
    expect(made.get("0 0 0")).toBe(plain.fields.get("0 0 0"));
    expect(made.get("1 0 2")).toBe(plain.fields.get("1 0 2"));
    expect(new Set([0, 1, 2, 3, 4].map((m) => made.get(`1 ${m} 0`))).size).toBe(5);
    const one = await run("gaussian", { seed: 4 }, { members: 1 });
    expect([...one.fields]).toEqual([...plain.fields]);
  });
});
