// DLWP as a TimeStepper of 6 h: one call of the network takes the states 6 h ago and now and gives those 6 and 12 h ahead, so every second step
// only hands out what the first one made. States stay on the cubed sphere between calls and are mapped to latitudes and longitudes
// for the outputs. The angle of the sun at each cell goes in with each state: max(cos θ, 0) − 1/π.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { Grid } from "../../grid/grid.js";
import { type Precision, withPrecision } from "../../training/precision.js";
import { sunPosition } from "../../variables/solar.js";
import { requireFinite } from "../finite.js";
import type { ChannelStatistics } from "../module-stepper.js";
import { distinctTimes, toRows } from "../rows.js";
import { later, requireInitialShape, type StepperState, share, type TimeStepper } from "../time-stepper.js";
import type { CubedSphereNetwork } from "./dlwp.js";
import type { SparseMap } from "./sparse-map.js";

const sixHours = 6 * 3600;

/** What a DlwpStepper is made of. It takes over the network and the maps. */
export interface DlwpParts {
  readonly network: CubedSphereNetwork;
  readonly into: SparseMap;
  readonly outOf: SparseMap;
  /** Cells along the side of a face. */
  readonly side: number;
  /** Degrees, of all cells. */
  readonly latitudes: Float64Array;
  readonly longitudes: Float64Array;
  /** Fields that go in last, of all cells. */
  readonly statics: readonly Float64Array[];
  readonly statistics: ChannelStatistics;
  readonly channels: readonly string[];
  readonly grid: Grid;
  readonly device: string;
  readonly precision: Precision;
}

/** A moment of a forecast. */
export interface DlwpState extends StepperState {
  readonly initialTimes: readonly number[];
  /** Two normalised states on the cubed sphere, (B, 2, C, 6, n, n). */
  readonly cubes: Tensor;
  /** True when the first of them is the present and the second is still to be handed out; false when the second one is the present. */
  readonly hasNext: boolean;
}

/** See the top of this file. */
export class DlwpStepper implements TimeStepper<DlwpState>, Disposable {
  readonly inChannelNames: readonly string[];
  readonly outChannelNames: readonly string[];
  readonly grid: Grid;
  readonly nHistoryLevels = 2;
  readonly historyTimeStep = sixHours;
  readonly timeStep = sixHours;
  readonly device: string;
  readonly precision: Precision;
  readonly notes: readonly string[] = ["two steps of 6 h at a time, on a cubed sphere"];
  readonly #parts: DlwpParts;
  /** (C, 1, 1, 1) each. */
  readonly #mean: Tensor;
  readonly #std: Tensor;
  /** (1, S, 6, n, n) */
  readonly #statics: Tensor;

  constructor(parts: DlwpParts) {
    this.#parts = parts;
    const { channels, grid, device, precision, statistics, statics } = parts;
    this.inChannelNames = channels;
    this.outChannelNames = channels;
    this.grid = grid;
    this.device = device;
    this.precision = precision;
    const column = (values: readonly number[]) =>
      torch.keep(torch.scope(() => torch.tensor([...values], { device }).reshape([-1, 1, 1, 1])));
    this.#mean = column(statistics.mean);
    this.#std = column(statistics.std);
    this.#statics = torch.keep(
      torch.scope(() =>
        torch
          .stack(
            statics.map((field) => this.#cube(field)),
            { dim: 0 },
          )
          .unsqueeze(0),
      ),
    );
  }

  async initialize(times: readonly number[], x: Tensor | undefined): Promise<DlwpState> {
    requireInitialShape(x, this);
    const [cubes, output] = torch.inferenceMode(() =>
      torch.scope(() => {
        const given = x.to(this.device).to("float32");
        return [this.#onCube(given), given.select(1, 1).clone({ memoryFormat: "contiguous" })] as const;
      }),
    );
    return stateOf({ times, initialTimes: times, cubes, output, hasNext: false });
  }

  async step(state: DlwpState): Promise<DlwpState> {
    const times = later(state.times, sixHours);
    const [cubes, output] = torch.inferenceMode(() =>
      torch.scope(() => {
        const next = state.hasNext ? share(state.cubes) : this.#predict(state);
        return [next, this.#onGrid(next.select(1, state.hasNext ? 1 : 0))] as const;
      }),
    );
    const after = stateOf({ times, initialTimes: state.initialTimes, cubes, output, hasNext: !state.hasNext });
    try {
      requireFinite(after, this.outChannelNames);
    } catch (error) {
      after[Symbol.dispose]();
      throw error;
    }
    return after;
  }

  copy(state: DlwpState): DlwpState {
    const copied = (tensor: Tensor) => torch.inferenceMode(() => tensor.clone());
    return stateOf({ ...state, cubes: copied(state.cubes), output: copied(state.output) });
  }

  withFields(state: DlwpState, fields: Tensor): DlwpState {
    const [cubes, output] = torch.inferenceMode(() =>
      torch.scope(() => {
        const given = fields.to(this.device).clone({ memoryFormat: "contiguous" });
        const present = this.#onCube(given.unsqueeze(1));
        const other = state.cubes.narrow(1, state.hasNext ? 1 : 0, 1);
        const both = state.hasNext ? [present, other] : [other, present];
        return [torch.cat(both, { dim: 1 }), given] as const;
      }),
    );
    return stateOf({ ...state, cubes, output });
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.#mean, this.#std, this.#statics]) tensor.dispose();
    this.#parts.into[Symbol.dispose]();
    this.#parts.outOf[Symbol.dispose]();
    this.#parts.network.dispose();
  }

  /** The two states after those of `state`, normalised. */
  #predict({ cubes, times }: DlwpState): Tensor {
    const batch = cubes.size(0);
    const sun = (time: readonly number[]) => this.#sun(time).unsqueeze(1);
    const parts = [
      cubes.select(1, 0),
      sun(later(times, -sixHours)),
      cubes.select(1, 1),
      sun(times),
      this.#statics.expand([batch, ...this.#statics.shape.slice(1)]),
    ];
    const input = torch.cat(parts, { dim: 1 });
    const answer = withPrecision(this.precision, this.device, () => this.#parts.network.forward(input));
    const { side, channels } = this.#parts;
    return answer.to("float32").reshape([batch, 2, channels.length, 6, side, side]);
  }

  /** (B, 6, n, n): how high the sun stands, for every row's time. */
  #sun(times: readonly number[]): Tensor {
    const distinct = distinctTimes(times);
    const fields = distinct.times.map((time) => {
      const { declination, greenwichHourAngle } = sunPosition(time);
      const { latitudes, longitudes } = this.#parts;
      const radians = Math.PI / 180;
      const values = latitudes.map((lat, i) => {
        const phi = lat * radians;
        const hour = greenwichHourAngle + longitudes[i]! * radians;
        const cosine = Math.sin(phi) * Math.sin(declination) + Math.cos(phi) * Math.cos(declination) * Math.cos(hour);
        return Math.max(cosine, 0) - 1 / Math.PI;
      });
      return this.#cube(values);
    });
    return toRows(torch.stack(fields, { dim: 0 }), distinct);
  }

  /** (B, T, C, Y, X), physical → (B, T, C, 6, n, n), normalised. */
  #onCube(x: Tensor): Tensor {
    const { into, side } = this.#parts;
    const [batch, levels, channels] = x.shape as [number, number, number];
    return into
      .apply(x.reshape([batch, levels, channels, -1]))
      .reshape([batch, levels, channels, 6, side, side])
      .sub_(this.#mean)
      .div_(this.#std);
  }

  /** (B, C, 6, n, n), normalised → (B, C, Y, X), physical. */
  #onGrid(cube: Tensor): Tensor {
    const [batch, channels] = cube.shape as [number, number];
    const physical = cube.mul(this.#std).add_(this.#mean).reshape([batch, channels, -1]);
    return this.#parts.outOf.apply(physical).reshape([batch, channels, ...this.grid.shape]);
  }

  #cube(values: Float64Array): Tensor {
    const { side, device } = this.#parts;
    return torch.fromTypedArray(Float32Array.from(values), [6, side, side]).to(device);
  }
}

function stateOf(parts: Omit<DlwpState, typeof Symbol.dispose>): DlwpState {
  const { times, initialTimes, cubes, output, hasNext } = parts;
  return {
    ...{ times, initialTimes, cubes, output, hasNext },
    [Symbol.dispose]() {
      cubes.dispose();
      output.dispose();
    },
  };
}
