// A dataset for tests: two waves that travel over a 16×16 grid, normalised, in memory; nothing is read. The next state follows
// exactly from the last two, so a network can learn it.

import * as torch from "@foehn/torch";
import type { Dataset, DatasetInfo, DatasetSplits, Item } from "../datasets/dataset.js";
import { noForcing } from "../datasets/forcings.js";
import { buildStatics } from "../datasets/statics.js";
import { latLonGrid } from "../grid/grid.js";
import { NamedTensor } from "../tensor/named-tensor.js";

export interface TinyDataOptions {
  readonly numInputSteps?: number;
  readonly numPredStepsTrain?: number;
  readonly numPredStepsValTest?: number;
  readonly trainSamples?: number;
  readonly validSamples?: number;
  readonly borderSize?: number;
  /** Overwrites values: return a number to replace one. */
  readonly spoil?: (time: number, feature: number, row: number, column: number) => number | undefined;
  readonly withMask?: boolean;
}

const SIZE = 16;
const NAMES = ["t2m", "z500"];
const HOUR = 3600;

/** The normalised value of a feature at a point. */
function wave(step: number, feature: number, row: number, column: number): number {
  const angle = (2 * Math.PI * (column + (feature === 0 ? step : -step / 2))) / SIZE;
  return Math.SQRT2 * Math.sin(angle) * Math.cos((Math.PI * row) / SIZE);
}

export function tinyData(options: TinyDataOptions = {}): DatasetSplits {
  const {
    numInputSteps = 2,
    numPredStepsTrain = 1,
    numPredStepsValTest = 3,
    trainSamples = 12,
    validSamples = 4,
  } = options;
  const axis = Array.from({ length: SIZE }, (_, i) => i);
  const grid = latLonGrid(
    axis.map((i) => 60 - i),
    axis,
  );
  const stats = { mean: 280, std: 10, min: 260, max: 300 };
  const difference = { mean: 0, std: 0.4, min: -1, max: 1 };
  const info: DatasetInfo = {
    name: "tiny",
    grid,
    stepSeconds: HOUR,
    features: NAMES.map((name, i) => ({ name, units: "K", longName: name, role: "prognostic", weight: i + 1 })),
    forcingNames: ["sin_hour"],
    forcing: noForcing,
    stats: Object.fromEntries(NAMES.map((name) => [name, stats])),
    diffStats: Object.fromEntries(NAMES.map((name) => [name, difference])),
    borderSize: options.borderSize ?? 0,
    statics: buildStatics(grid, { borderSize: options.borderSize ?? 0 }),
  };
  const split = (length: number, predSteps: number, offset: number): Dataset => {
    const times = (i: number) => ({
      inputs: Array.from({ length: numInputSteps }, (_, k) => (offset + i + k) * HOUR),
      outputs: Array.from({ length: predSteps }, (_, k) => (offset + i + numInputSteps + k) * HOUR),
    });
    const states = (steps: readonly number[]) => {
      const values = new Float32Array(steps.length * SIZE * SIZE * 2);
      let at = 0;
      for (const time of steps) {
        for (let row = 0; row < SIZE; row++) {
          for (let column = 0; column < SIZE; column++) {
            for (let feature = 0; feature < 2; feature++) {
              const step = time / HOUR;
              values[at++] = options.spoil?.(step, feature, row, column) ?? wave(step, feature, row, column);
            }
          }
        }
      }
      return values;
    };
    const named = (values: Float32Array, steps: number, names: readonly string[]) =>
      new NamedTensor(
        torch.tensor(values, { shape: [steps, SIZE, SIZE, names.length] }),
        ["timestep", "lat", "lon", "features"] as const,
        names,
      );
    return {
      info,
      length,
      times,
      item: async (i): Promise<Item> => {
        const when = times(i);
        const outputs = states(when.outputs);
        const hours = Float32Array.from({ length: predSteps * SIZE * SIZE }, (_, n) =>
          Math.sin((2 * Math.PI * when.outputs[Math.floor(n / (SIZE * SIZE))]!) / 86_400),
        );
        const valid = outputs.map((value) => (Number.isNaN(value) ? 0 : 1));
        const filled = (values: Float32Array) =>
          options.withMask ? values.map((value) => (Number.isNaN(value) ? 0 : value)) : values;
        return {
          inputs: named(filled(states(when.inputs)), numInputSteps, NAMES),
          outputs: named(filled(outputs), predSteps, NAMES),
          forcing: named(hours, predSteps, ["sin_hour"]),
          times: when,
          ...(options.withMask && { mask: named(valid, predSteps, NAMES) }),
        };
      },
    };
  };
  return {
    info,
    train: split(trainSamples, numPredStepsTrain, 0),
    valid: split(validSamples, numPredStepsValTest, 100),
    test: split(validSamples, numPredStepsValTest, 200),
    climatology: Object.fromEntries(NAMES.map((name, i) => [name, new Float32Array(SIZE * SIZE).fill(280 + i)])),
    close: async () => {},
  };
}
