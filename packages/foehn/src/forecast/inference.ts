// Inference: a package's network behind the TimeLoop contract. It normalises, keeps the history, computes or reads the forcing for
// each valid time and calls the same `advance` as training, so a forecast and a validation rollout cannot differ.
// After earth2mip's class of the same name. Not here: reading initial states (initial-state.ts) and writing (outputs/).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { DataError, ModelError, NumericalError } from "../core/errors.js";
import { formatDuration, formatTime } from "../core/time.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import { computeForcings } from "../datasets/forcings.js";
import type { Grid } from "../grid/grid.js";
import type { Package } from "../hub/package.js";
import type { Network } from "../models/network.js";
import type { Source } from "../sources/source.js";
import { inNetworkLayout, onGridAgain } from "../training/network-layout.js";
import { type Precision, type PrecisionName, resolvePrecision, withPrecision } from "../training/precision.js";
import { prepareRollout, type RolloutContext } from "../training/rollout.js";
import { advance, type KnownBorder } from "../training/step.js";
import type { StrategyName } from "../training/strategies/registry.js";
import { type StateReader, stateReader } from "./initial-state.js";
import { InputSlots } from "./input-slots.js";
import type { TimeLoop, TimeLoopStep } from "./time-loop.js";

/** What a forecast goes on from. Its tensors are copies that nothing else changes; dispose it when it is no longer needed. */
export interface InferenceRestart extends Disposable {
  readonly time: number;
  /** Normalised states, oldest first, (B, H, W, F) each, or as the network's `transformBatch` lays them out. */
  readonly states: readonly Tensor[];
  /** The physical fields at `time`, (B, F, H, W). */
  readonly output: Tensor;
}

/** What an Inference is made of. */
export interface InferenceParts {
  readonly network: Network;
  readonly info: DatasetInfo;
  readonly strategy: StrategyName;
  readonly numInputSteps: number;
  readonly numInterSteps: number;
}

/** Options of `Inference`. */
export interface InferenceOptions {
  /** Where the network is. Default `cpu`. */
  readonly device?: string;
  /** Default `auto`: bf16 where the machine is fast at it. */
  readonly precision?: PrecisionName;
  /** Gives the forcings that are read, at every valid time of the forecast. Needed when the model has any. */
  readonly forcingSource?: Source | undefined;
  /** Gives the state on the border at every valid time, for a model trained with forced borders; without it the border is free. */
  readonly borderSource?: Source | undefined;
}

/** A network as a TimeLoop; see the top of this file. Dispose it to free its static tensors; the network stays the caller's. */
export class Inference implements TimeLoop<InferenceRestart>, Disposable {
  readonly inChannelNames: readonly string[];
  readonly outChannelNames: readonly string[];
  readonly grid: Grid;
  readonly nHistoryLevels: number;
  readonly historyTimeStep: number;
  readonly timeStep: number;
  readonly precision: Precision;
  readonly device: string;
  readonly #parts: InferenceParts;
  readonly #context: RolloutContext;
  /** (F) each, on the device. */
  readonly #mean: Tensor;
  readonly #std: Tensor;
  readonly #forcings: StateReader | undefined;
  readonly #border: StateReader | undefined;

  /** @throws DataError when a source for the forcings is needed and missing, or does not fit */
  constructor(parts: InferenceParts, options: InferenceOptions = {}) {
    const { info, network } = parts;
    this.#parts = parts;
    this.device = options.device ?? "cpu";
    this.precision = resolvePrecision(options.precision ?? "auto", this.device);
    this.grid = info.grid;
    this.inChannelNames = info.features.map((feature) => feature.name);
    this.outChannelNames = this.inChannelNames;
    this.nHistoryLevels = parts.numInputSteps;
    this.timeStep = info.stepSeconds;
    this.historyTimeStep = info.stepSeconds;
    this.#forcings = forcingReader(info, options.forcingSource);
    const { strategy, numInterSteps } = parts;
    this.#context = prepareRollout(network, info, { strategy, numInterSteps, device: this.device });
    this.#border =
      options.borderSource && this.#context.hasBorder
        ? stateReader(options.borderSource, info.features, info.grid)
        : undefined;
    const stats = (key: "mean" | "std") =>
      torch.tensor(
        this.inChannelNames.map((name) => info.stats[name]?.[key] ?? Number(key === "std")),
        {
          device: this.device,
        },
      );
    this.#mean = torch.keep(stats("mean"));
    this.#std = torch.keep(stats("std"));
    network.eval();
  }

  /** Opens a package's network. The network is freed together with the Inference. */
  static async fromPackage(pkg: Package, options: InferenceOptions = {}): Promise<Inference> {
    const info = await pkg.info();
    const network = await pkg.network({ device: options.device ?? "cpu" });
    const { strategy, numInputSteps, numInterSteps } = pkg;
    return new Inference({ network, info, strategy, numInputSteps, numInterSteps }, options);
  }

  async *run(
    time: number,
    x: Tensor | undefined,
    restart?: InferenceRestart,
  ): AsyncGenerator<TimeLoopStep<InferenceRestart>, void, undefined> {
    const slots = new InputSlots([...this.inChannelNames, ...this.#parts.info.forcingNames]);
    let now = restart ? restart.time : time;
    let states = restart ? restart.states.map((state) => this.#copy(state)) : this.#normaliseHistory(x);
    try {
      const first = restart ? this.#copy(restart.output) : this.#newest(x!);
      slots.refresh(this.inChannelNames, now);
      yield this.#item(now, first, states);
      for (;;) {
        const next = now + this.timeStep;
        const forcing = await this.#forcing(next, states[0]!.size(0), slots);
        const border = await this.#knownBorder(next);
        slots.require(this.inChannelNames, now);
        slots.require(this.#parts.info.forcingNames, next);
        const [state, output] = this.#step(states, forcing, border);
        forcing.dispose();
        border?.state.dispose();
        states[0]!.dispose();
        states = [...states.slice(1), state];
        now = next;
        slots.refresh(this.outChannelNames, now);
        this.#requireFinite(output, now, time);
        yield this.#item(now, output, states);
      }
    } finally {
      for (const state of states) state.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.#context.dispose();
    this.#mean.dispose();
    this.#std.dispose();
  }

  #item(time: number, output: Tensor, states: readonly Tensor[]): TimeLoopStep<InferenceRestart> {
    const copy = (tensor: Tensor) => this.#copy(tensor);
    return {
      time,
      output,
      get restart() {
        const kept = { time, states: states.map(copy), output: copy(output) };
        return {
          ...kept,
          [Symbol.dispose]() {
            for (const tensor of [...kept.states, kept.output]) tensor.dispose();
          },
        };
      },
    };
  }

  #copy(tensor: Tensor): Tensor {
    return torch.inferenceMode(() => tensor.clone());
  }

  #normaliseHistory(x: Tensor | undefined): Tensor[] {
    const [ny, nx] = this.grid.shape;
    const wanted = [this.nHistoryLevels, this.inChannelNames.length, ny, nx];
    if (x?.ndim !== 5 || x.shape.slice(1).join() !== wanted.join()) {
      throw new ModelError(
        `the initial state has shape (${x?.shape.join(", ") ?? "none"}), the model takes (batch, ${wanted.join(", ")})`,
        { hint: "dimensions are batch, history (oldest first), channels, latitude, longitude" },
      );
    }
    const { network, info } = this.#parts;
    return torch.inferenceMode(() =>
      torch.scope(() => {
        const inputs = x.to(this.device).permute([0, 1, 3, 4, 2]).contiguous().sub(this.#mean).div(this.#std);
        return [...inNetworkLayout(network, info, { inputs }).inputs.iterTensorDim("timestep")];
      }),
    );
  }

  #newest(x: Tensor): Tensor {
    return torch.inferenceMode(() =>
      torch.scope(() =>
        x
          .to(this.device)
          .select(1, this.nHistoryLevels - 1)
          .clone(),
      ),
    );
  }

  /** The normalised state one step later, and its physical fields as (B, F, H, W). */
  #step(states: readonly Tensor[], forcing: Tensor, border: KnownBorder | undefined): readonly [Tensor, Tensor] {
    const { network, strategy, networkStatics: statics, diffMean, diffStd, numInterSteps } = this.#context;
    return torch.inferenceMode(() =>
      torch.scope(() => {
        const state = withPrecision(this.precision, this.device, () =>
          advance({
            network,
            previousStates: states,
            statics: statics.features.tensor,
            forcing,
            strategy,
            diffMean,
            diffStd,
            numInterSteps,
            border,
          }),
        );
        return [state, this.#physical(state)] as const;
      }),
    );
  }

  /** A normalised state in the network's layout as (B, F, H, W) in physical units. */
  #physical(networkState: Tensor): Tensor {
    const [ny, nx] = this.grid.shape;
    const [batch, features] = [networkState.size(0), networkState.size(-1)];
    const state = onGridAgain(networkState, [batch, ny, nx, features]);
    const output = torch.empty([batch, features, ny * nx], { device: this.device });
    // Two-dimensional transposes, because only those does libtorch do block by block: half the time of a permuted copy.
    for (let b = 0; b < batch; b++)
      output.select(0, b).copy_(
        state
          .select(0, b)
          .reshape([ny * nx, features])
          .t(),
      );
    return output.mul_(this.#std.unsqueeze(1)).add_(this.#mean.unsqueeze(1)).reshape([batch, features, ny, nx]);
  }

  async #forcing(time: number, batch: number, slots: InputSlots): Promise<Tensor> {
    const { info } = this.#parts;
    const read = new Map<string, Float32Array>();
    if (this.#forcings) {
      const fields = await this.#forcings.read(time);
      for (const [i, name] of info.forcing.variables.entries()) {
        const { mean, std } = info.stats[name]!;
        read.set(
          name,
          fields[i]!.map((value) => (value - mean) / std),
        );
      }
    }
    const values = computeForcings(info.forcing, info.grid, time, read);
    slots.refresh(info.forcingNames, time);
    const [ny, nx] = info.grid.shape;
    return torch.scope(() => {
      const forcing = torch
        .fromTypedArray(values, [1, 1, ny, nx, info.forcingNames.length])
        .to(this.device)
        .expand([batch, 1, ny, nx, info.forcingNames.length])
        .contiguous();
      return inNetworkLayout(this.#parts.network, info, { forcing }).forcing.selectTensorDim("timestep", 0);
    });
  }

  async #knownBorder(time: number): Promise<KnownBorder | undefined> {
    if (!this.#border) return undefined;
    const fields = await this.#border.read(time);
    const [ny, nx] = this.grid.shape;
    const { network, info } = this.#parts;
    const state = torch.inferenceMode(() =>
      torch.scope(() => {
        const outputs = torch
          .stack(
            fields.map((field) => torch.fromTypedArray(field, [ny, nx])),
            { dim: -1 },
          )
          .to(this.device)
          .sub(this.#mean)
          .div(this.#std)
          .reshape([1, 1, ny, nx, fields.length]);
        return inNetworkLayout(network, info, { outputs }).outputs.selectTensorDim("timestep", 0);
      }),
    );
    return { state, mask: this.#context.networkStatics.borderMask.tensor };
  }

  #requireFinite(output: Tensor, time: number, start: number): void {
    const sum = torch.inferenceMode(() => torch.scope(() => output.sum({ dim: [0, 2, 3] }).toTypedArray()));
    const bad = this.outChannelNames.filter((_, i) => !Number.isFinite(Number(sum[i])));
    if (bad.length === 0) return;
    output.dispose();
    throw new NumericalError(
      `the forecast is no longer finite at +${formatDuration(time - start)} (${formatTime(time)}): ${bad.join(", ")}`,
      { hint: "the model is unstable from this initial state; --precision fp32 tells whether rounding plays a part" },
    );
  }
}

function forcingReader(info: DatasetInfo, source: Source | undefined): StateReader | undefined {
  const { variables } = info.forcing;
  if (variables.length === 0) return undefined;
  if (!source) {
    throw new DataError(`the model reads forcings at every valid time: ${variables.join(", ")}`, {
      hint: "give data that have them over the whole forecast",
    });
  }
  const wanted = variables.map((name) => ({
    name,
    units: source.variables.find((variable) => variable.name === name)?.units ?? "",
  }));
  return stateReader(source, wanted, info.grid);
}
