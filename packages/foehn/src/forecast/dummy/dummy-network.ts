// A stand-in for a package's network that checks every slot of its input against the dummy fields that belong there, and answers so that
// the next state is the dummy field of the next time: an error in any later step shows as well. It has no weights.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { formatDuration, formatTime } from "../../core/time.js";
import type { DatasetInfo } from "../../datasets/dataset.js";
import { modelFeatures } from "../../datasets/features.js";
import { computeForcings } from "../../datasets/forcings.js";
import { Network } from "../../models/network.js";
import { dummyCode } from "../../sources/dummy-source.js";
import { numInputFeatures, numOutputFeatures } from "../../training/step.js";
import { createStrategy } from "../../training/strategies/registry.js";
import type { Strategy } from "../../training/strategies/strategy.js";
import type { InferenceParts } from "../inference.js";
import { requireSlots, type Slot } from "./slots.js";

/** The parts of an Inference whose network is to be stood in for. */
export type DummyParts = Omit<InferenceParts, "network">;

/** A network that checks its input; see the top of this file. */
export class DummyNetwork extends Network {
  readonly #parts: DummyParts;
  readonly #strategy: Strategy;
  #times: readonly number[] = [];
  #call = 0;
  #checked = 0;

  constructor(parts: DummyParts) {
    const { info, strategy, strategySettings, numInputSteps, maskAsInput = false } = parts;
    const features = modelFeatures(info);
    const made = createStrategy(strategy, strategySettings);
    const inputs = numInputFeatures({ strategy: made, features, numInputSteps, hasMask: maskAsInput });
    super(inputs, numOutputFeatures(features, parts.outputStd), {}, info.grid.shape);
    this.#parts = parts;
    this.#strategy = made;
  }

  /** Slots that were compared up to now. */
  get checked(): number {
    return this.#checked;
  }

  /** Before a step: valid time of every row's newest state. */
  expect(times: readonly number[]): void {
    this.#times = times;
    this.#call = 0;
  }

  override forward(x: Tensor): Tensor {
    const { info, numInterSteps } = this.#parts;
    this.#call++;
    const within = this.#strategy.interpolatesInterSteps ? this.#call / numInterSteps : 1;
    for (const [row, time] of this.#times.entries()) {
      const values = torch.scope(() => x.select(0, row).permute([2, 0, 1]));
      const next = time + info.stepSeconds;
      const where = `of row ${row + 1}, step ${formatTime(time)} to ${formatTime(next)}, call ${this.#call},`;
      this.#checked += requireSlots(
        values,
        this.#slots(time, within),
        where,
        candidatesOf(info, time),
        info.grid.shape,
      );
    }
    return this.#answer(x);
  }

  /** What the input must hold, in its order. */
  #slots(time: number, within: number): Slot[] {
    const { info, numInputSteps, maskAsInput = false } = this.#parts;
    const { grid, stepSeconds, statics } = info;
    const points = grid.shape[0] * grid.shape[1];
    const features = modelFeatures(info);
    const code = (name: string, at: number) => dummyCode(name, at, grid.shape);
    const slot = (label: string, expected: Float32Array, name?: string): Slot => ({
      label,
      expected,
      tolerance: toleranceOf(name === undefined ? undefined : info.stats[name]),
    });
    const states = Array.from({ length: numInputSteps }, (_, level) => {
      // Within a step of several calls the newest state lies on the way to the next one.
      const age = numInputSteps - 1 - level;
      const from = time - age * stepSeconds;
      const part = this.#reached(this.#call - 1);
      return features.prognostic.map((name) => {
        const expected =
          part === 0 ? code(name, from) : between(code(name, from), code(name, from + stepSeconds), part);
        return slot(
          age === 0 ? `input ${name}` : `input ${name} of ${formatDuration(age * stepSeconds)} before`,
          expected,
          name,
        );
      });
    }).flat();
    const [start, end] = [this.#forcing(time), this.#forcing(time + stepSeconds)];
    const forcing = features.forcing.map((name, f) => {
      const at = (fields: Float32Array) => every(fields, f, features.forcing.length);
      const expected = within === 1 ? at(end) : between(at(start), at(end), within);
      return slot(`forcing ${name}`, expected, features.readForcing.includes(name) ? name : undefined);
    });
    const fixed = features.statics.map((name, f) =>
      slot(`static ${name}`, every(statics.fields, f, features.statics.length)),
    );
    const mask = maskAsInput ? [slot("mask", new Float32Array(points).fill(1))] : [];
    const parts = { states, statics: fixed, forcing, mask };
    return this.#strategy.inputParts.flatMap((part) => parts[part]);
  }

  /** How far the state has come after some calls: all the way at once where the border does not move within a step. */
  #reached(calls: number): number {
    return this.#strategy.interpolatesInterSteps ? calls / this.#parts.numInterSteps : Math.min(calls, 1);
  }

  /** (H, W, F) at a time: codes for what is read, the formulas for the rest. */
  #forcing(time: number): Float32Array {
    const { forcing, grid } = this.#parts.info;
    const read = new Map(forcing.variables.map((name) => [name, dummyCode(name, time, grid.shape)]));
    return computeForcings(forcing, grid, time, read);
  }

  /** The output that makes the next state the dummy fields: strategies are straight lines in it, so two points of one are enough. */
  #answer(x: Tensor): Tensor {
    const { info, numInputSteps } = this.#parts;
    const features = modelFeatures(info);
    const [ny, nx] = info.grid.shape;
    const rows = this.#times.length;
    const count = features.prognostic.length;
    const part = this.#reached(this.#call);
    const target = (names: readonly string[]) =>
      stackOf(
        this.#times.flatMap((time) =>
          names.map((name) => {
            const end = dummyCode(name, time + info.stepSeconds, info.grid.shape);
            return part === 1 ? end : between(dummyCode(name, time, info.grid.shape), end, part);
          }),
        ),
        [rows, names.length, ny, nx],
      );
    return torch.scope(() => {
      const at = (part: string): number => {
        const sizes = {
          states: numInputSteps * count,
          statics: features.statics.length,
          forcing: features.forcing.length,
          mask: 0,
        };
        const before = this.#strategy.inputParts.slice(0, this.#strategy.inputParts.indexOf(part as "states"));
        return before.reduce((sum, name) => sum + sizes[name], 0);
      };
      const differences = {
        mean: torch.tensor(features.prognostic.map((name) => info.diffStats[name]?.mean ?? 0)),
        std: torch.tensor(features.prognostic.map((name) => info.diffStats[name]?.std ?? 1)),
      };
      const { usesStates } = this.#strategy;
      const lastState = usesStates ? x.narrow(-1, at("states") + (numInputSteps - 1) * count, count) : undefined;
      const forcing = x.narrow(-1, at("forcing"), features.forcing.length);
      const updated = (output: Tensor) => this.#strategy.update({ lastState, output, forcing, differences, features });
      const shape = [rows, ny, nx, count];
      const zero = updated(torch.zeros(shape));
      const slope = updated(torch.ones(shape)).sub(zero);
      const state = target(features.prognostic).sub(zero).div(slope);
      const values = torch.cat([state, target(features.diagnostic)], { dim: -1 });
      // What becomes the standard deviations is in no slot.
      return this.#parts.outputStd ? torch.cat([values, torch.zerosLike(values)], { dim: -1 }) : values;
    });
  }
}

/** What a wrong slot may hold instead: all variables at the times around. */
export function candidatesOf(info: DatasetInfo, time: number) {
  const steps = Array.from({ length: 17 }, (_, i) => time + (i - 8) * info.stepSeconds);
  return {
    names: [...info.features.map((feature) => feature.name), ...info.forcing.variables],
    times: steps,
    stats: (name: string) => info.stats[name] ?? { mean: 0, std: 1 },
  };
}

/** In standard deviations: float32 of a large mean rounds to a coarser step. */
export function toleranceOf(stats: { readonly mean: number; readonly std: number } | undefined): number {
  return 1e-3 + (stats ? (8 * 2 ** -24 * Math.abs(stats.mean)) / stats.std : 0);
}

const between = (a: Float32Array, b: Float32Array, part: number): Float32Array =>
  a.map((value, n) => value + part * (b[n]! - value));

const every = (fields: Float32Array, first: number, width: number): Float32Array =>
  Float32Array.from({ length: fields.length / width }, (_, n) => fields[n * width + first]!);

/** (B, F, H, W) arrays in a row as (B, H, W, F). */
function stackOf(fields: readonly Float32Array[], shape: [number, number, number, number]): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (const [i, field] of fields.entries()) values.set(field, i * field.length);
  return torch.fromTypedArray(values, shape).permute([0, 2, 3, 1]);
}
