// ModuleStepper: a bare model as a TimeStepper: a module, a function, an ONNX or TorchScript file that maps normalised channels to
// normalised channels. It normalises, keeps the history, gives the times and puts physical units back, as earth2mip's `Inference` does
// (center, scale, n_history, source). Networks that Foehn trained come with forcings, borders and strategies: inference.ts.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import type { Grid } from "../grid/grid.js";
import { type Precision, withPrecision } from "../training/precision.js";
import { requireFinite } from "./finite.js";
import type { SourceTerm } from "./source-term.js";
import { later, requireInitialShape, type StepperState, share, type TimeStepper } from "./time-stepper.js";

/** Mean and standard deviation of channels, in their order. */
export interface ChannelStatistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * One step of a model.
 * @param x normalised: (B, C, Y, X), or (B, H, C, Y, X) with the oldest first where the model has a history
 * @param times valid time of every row's newest state, before the step, epoch seconds UTC
 * @param initialTimes where each row began
 * @returns normalised: (B, Cout, Y, X), or (B, H, Cout, Y, X), which then is the whole history of the next step
 */
export type ModelFunction = (
  x: Tensor,
  times: readonly number[],
  initialTimes: readonly number[],
) => Tensor | Promise<Tensor>;

/** What a ModuleStepper is made of. */
export interface ModuleParts {
  readonly forward: ModelFunction;
  readonly inChannelNames: readonly string[];
  /** Default: those of the input. What is not an input is diagnostic. */
  readonly outChannelNames?: readonly string[] | undefined;
  readonly grid: Grid;
  /** Default 1. */
  readonly nHistoryLevels?: number | undefined;
  /** Seconds; default: `timeStep`. */
  readonly historyTimeStep?: number | undefined;
  readonly timeStep: number;
  /** Makes initial states fit for the model, (B, H, C, Y, X) in physical units; gives them back, or others. */
  readonly prepare?: ((x: Tensor) => Tensor) | undefined;
  /** Of the inputs; default: none, the model takes physical values. */
  readonly inputStatistics?: ChannelStatistics | undefined;
  /** Of the outputs. */
  readonly outputStatistics?: ChannelStatistics | undefined;
  readonly device?: string | undefined;
  /** Default `fp32`. */
  readonly precision?: Precision | undefined;
  readonly notes?: readonly string[] | undefined;
  /** A tendency added to the newest state before each step. */
  readonly source?: SourceTerm | undefined;
  /** Called when the stepper is disposed. */
  readonly dispose?: (() => void) | undefined;
}

/** A moment of a forecast. */
export interface ModuleState extends StepperState {
  readonly initialTimes: readonly number[];
  /** Normalised inputs, oldest first, each (B, C, Y, X). */
  readonly history: readonly Tensor[];
}

/** A bare model, one step at a time; see the top of this file. */
export class ModuleStepper implements TimeStepper<ModuleState>, Disposable {
  readonly inChannelNames: readonly string[];
  readonly outChannelNames: readonly string[];
  readonly grid: Grid;
  readonly nHistoryLevels: number;
  readonly historyTimeStep: number;
  readonly timeStep: number;
  readonly device: string;
  readonly precision: Precision;
  readonly notes: readonly string[];
  readonly #parts: ModuleParts;
  readonly #inputs: Affine;
  readonly #outputs: Affine;
  /** Position of each input among the outputs; undefined where they are the same in the same order. */
  readonly #feedback: readonly number[] | undefined;

  /** @throws ModelError when an input does not come out of the model, so that nothing would refresh it */
  constructor(parts: ModuleParts) {
    this.#parts = parts;
    this.inChannelNames = [...parts.inChannelNames];
    this.outChannelNames = [...(parts.outChannelNames ?? parts.inChannelNames)];
    this.grid = parts.grid;
    this.timeStep = parts.timeStep;
    this.nHistoryLevels = parts.nHistoryLevels ?? 1;
    this.historyTimeStep = parts.historyTimeStep ?? parts.timeStep;
    this.device = parts.device ?? "cpu";
    this.precision = parts.precision ?? "fp32";
    this.notes = parts.notes ?? [];
    const lost = this.inChannelNames.filter((name) => !this.outChannelNames.includes(name));
    if (lost.length > 0) {
      throw new ModelError(
        `inputs of the model do not come out of it, so no second step can be made: ${lost.join(", ")}`,
        {
          hint: "out_channels_names must have every one of in_channels_names; what is read at every step is a forcing",
        },
      );
    }
    const positions = this.inChannelNames.map((name) => this.outChannelNames.indexOf(name));
    const isSame = positions.length === this.outChannelNames.length && positions.every((p, i) => p === i);
    this.#feedback = isSame ? undefined : positions;
    this.#inputs = new Affine(parts.inputStatistics, this.device);
    this.#outputs = new Affine(parts.outputStatistics, this.device);
  }

  async initialize(times: readonly number[], x: Tensor | undefined): Promise<ModuleState> {
    requireInitialShape(x, this);
    const [history, output] = torch.inferenceMode(() =>
      torch.scope(() => {
        const given = x.to(this.device).to("float32");
        const states = this.#parts.prepare?.(given) ?? given;
        const levels = Array.from({ length: this.nHistoryLevels }, (_, level) => states.select(1, level));
        return [
          levels.map((state) => this.#inputs.normalise(state)),
          this.#initialOutput(given.select(1, this.nHistoryLevels - 1)),
        ] as const;
      }),
    );
    return stateOf({ times, initialTimes: times, history, output });
  }

  async step(state: ModuleState): Promise<ModuleState> {
    const times = later(state.times, this.timeStep);
    const { history, output } = await torch.scopeAsync(async () => {
      const levels = await this.#withSource(state);
      const x = torch.inferenceMode(() => (levels.length === 1 ? levels[0]! : torch.stack(levels, { dim: 1 })));
      let answer: Tensor | Promise<Tensor> | undefined;
      torch.inferenceMode(() =>
        withPrecision(this.precision, this.device, () => {
          answer = this.#parts.forward(x, state.times, state.initialTimes);
        }),
      );
      const raw = (await answer) as Tensor;
      return torch.inferenceMode(() => this.#taken(raw, state));
    });
    const after = stateOf({ times, initialTimes: state.initialTimes, history, output });
    try {
      requireFinite(after, this.outChannelNames);
    } catch (error) {
      after[Symbol.dispose]();
      throw error;
    }
    return after;
  }

  copy(state: ModuleState): ModuleState {
    const copied = (tensor: Tensor): Tensor => torch.inferenceMode(() => tensor.clone());
    return stateOf({ ...state, history: state.history.map(copied), output: copied(state.output) });
  }

  withFields(state: ModuleState, fields: Tensor): ModuleState {
    return torch.inferenceMode(() => {
      const output = torch.scope(() => fields.to(this.device).clone({ memoryFormat: "contiguous" }));
      const newest = torch.scope(() => this.#inputs.normalise(this.#inputsOf(output)));
      return stateOf({ ...state, history: [...state.history.slice(0, -1).map(share), newest], output });
    });
  }

  [Symbol.dispose](): void {
    this.#inputs.dispose();
    this.#outputs.dispose();
    this.#parts.dispose?.();
  }

  /** The next history and the physical output, from what the model gave. */
  #taken(raw: Tensor, { history }: ModuleState): Pick<ModuleState, "history" | "output"> {
    const answer = raw.to(this.device).to("float32");
    const [ny, nx] = this.grid.shape;
    const batch = history[0]!.size(0);
    const fields = [this.outChannelNames.length, ny, nx];
    const [one, whole] = [
      [batch, ...fields],
      [batch, this.nHistoryLevels, ...fields],
    ];
    const shape = answer.shape.join();
    if (shape === whole.join()) {
      const levels = Array.from({ length: this.nHistoryLevels }, (_, level) => answer.select(1, level));
      // Clones, because a model may answer with its own input, or with memory that it uses again.
      const next = levels.map((level) => this.#inputsOf(level).clone({ memoryFormat: "contiguous" }));
      return { history: next, output: this.#outputs.physical(levels.at(-1)!) };
    }
    if (shape !== one.join()) {
      const also = this.nHistoryLevels > 1 ? ` or (${whole.join(", ")})` : "";
      throw new ModelError(`the model gave (${answer.shape.join(", ")}), expected (${one.join(", ")})${also}`, {
        hint: "dimensions are batch, channels, latitude, longitude; the channels are those of out_channels_names",
      });
    }
    const newest = this.#inputsOf(answer).clone({ memoryFormat: "contiguous" });
    return { history: [...history.slice(1).map(share), newest], output: this.#outputs.physical(answer) };
  }

  /** (B, Cout, Y, X) → (B, C, Y, X): the prognostic channels. */
  #inputsOf(outputs: Tensor): Tensor {
    if (this.#feedback === undefined) return outputs;
    return outputs.indexSelect(1, torch.tensor([...this.#feedback], { dtype: "int64", device: this.device }));
  }

  /** The newest fields as they came, NaN for what is no input. */
  #initialOutput(newest: Tensor): Tensor {
    if (this.#feedback === undefined) return newest.clone({ memoryFormat: "contiguous" });
    const [ny, nx] = this.grid.shape;
    const fields = this.outChannelNames.map((name) => {
      const position = this.inChannelNames.indexOf(name);
      return position < 0
        ? torch.full([newest.size(0), ny, nx], Number.NaN, { device: this.device })
        : newest.select(1, position);
    });
    return torch.stack(fields, { dim: 1 });
  }

  /** The history to step from: with the source term in its newest state, where there is one. The state itself is not changed. */
  async #withSource({ history, times }: ModuleState): Promise<readonly Tensor[]> {
    const { source } = this.#parts;
    if (source === undefined) return history;
    const x = torch.inferenceMode(() => this.#inputs.physical(history.at(-1)!));
    const tendency = await source(x, times);
    if (tendency.shape.join() !== x.shape.join()) {
      throw new ModelError(
        `the source term gave (${tendency.shape.join(", ")}) for a state of (${x.shape.join(", ")})`,
        {
          hint: "it gives a tendency in physical units per second for every input channel",
        },
      );
    }
    const pushed = torch.inferenceMode(() =>
      this.#inputs.normalise(x.add(tendency.to(this.device).mul(this.timeStep))),
    );
    return [...history.slice(0, -1), pushed];
  }
}

/** (x − mean) / std of channels at dimension 1, and back. */
class Affine implements Disposable {
  readonly #mean: Tensor | undefined;
  readonly #std: Tensor | undefined;

  constructor(statistics: ChannelStatistics | undefined, device: string) {
    if (statistics === undefined) return;
    const { mean, std } = statistics;
    const column = (values: readonly number[]) =>
      torch.keep(torch.scope(() => torch.tensor([...values], { device }).reshape([-1, 1, 1])));
    this.#mean = column(mean);
    this.#std = column(std);
  }

  /** Always fresh memory. */
  normalise(x: Tensor): Tensor {
    if (!this.#mean || !this.#std) return x.clone({ memoryFormat: "contiguous" });
    return x.sub(this.#mean).div_(this.#std).contiguous();
  }

  /** Always fresh memory. */
  physical(x: Tensor): Tensor {
    if (!this.#mean || !this.#std) return x.clone({ memoryFormat: "contiguous" });
    return x.mul(this.#std).add_(this.#mean).contiguous();
  }

  dispose(): void {
    this.#mean?.dispose();
    this.#std?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function stateOf(parts: Omit<ModuleState, typeof Symbol.dispose>): ModuleState {
  const { times, initialTimes, history, output } = parts;
  return {
    ...{ times, initialTimes, history, output },
    [Symbol.dispose]() {
      output.dispose();
      for (const past of history) past.dispose();
    },
  };
}

/** A model that takes one row at a time, as most published ONNX files do, for any number of rows. */
export function rowByRow(forward: ModelFunction): ModelFunction {
  return async (x, times, initialTimes) => {
    if (x.size(0) === 1) return forward(x, times, initialTimes);
    const rows: Tensor[] = [];
    for (let row = 0; row < x.size(0); row++) {
      const answer = await forward(x.narrow(0, row, 1), [times[row]!], [initialTimes[row]!]);
      rows.push(answer);
    }
    return torch.cat(rows, { dim: 0 });
  };
}
