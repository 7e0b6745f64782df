// Inference: a package's network behind the TimeLoop contract. It normalises, keeps the history, computes or reads the forcing for
// each valid time and calls the same `advance` as training, so a forecast and a validation rollout cannot differ.
// After earth2mip's class of the same name. Not here: reading initial states (initial-state.ts) and writing (outputs/).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ConfigError, ModelError, NumericalError } from "../core/errors.js";
import type { Logger } from "../core/log.js";
import { formatDuration, formatTime } from "../core/time.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import { prognosticFeatures } from "../datasets/features.js";
import type { Grid } from "../grid/grid.js";
import type { ModelPackage } from "../hub/model-package.js";
import type { Network } from "../models/network.js";
import { type PreparedForward, prepareForInference } from "../models/prepare-inference.js";
import type { Source } from "../sources/source.js";
import { inLayoutOf, inNetworkLayout, onGridAgain } from "../training/network-layout.js";
import { type Precision, type PrecisionName, resolvePrecision, withPrecision } from "../training/precision.js";
import { prepareRollout, type RolloutContext } from "../training/rollout.js";
import { advance, type KnownBorder } from "../training/step.js";
import type { StrategySettings } from "../training/strategies/strategy.js";
import { Boundary } from "./boundary.js";
import { ForcingFields } from "./forcing-fields.js";
import { InputSlots } from "./input-slots.js";
import { copy, copyPast, disposeForcing, disposePast, type PastState, type StepForcing } from "./past-states.js";
import type { TimeLoop, TimeLoopStep } from "./time-loop.js";

/** What a forecast goes on from. Its tensors are copies that nothing else changes; dispose it when it is no longer needed. */
export interface InferenceRestart extends Disposable {
  readonly time: number;
  /** Oldest first; none where the strategy takes none. */
  readonly history: readonly PastState[];
  /** The physical fields at `time`, (B, F, H, W). */
  readonly output: Tensor;
}

/** What an Inference is made of. */
export interface InferenceParts {
  readonly network: Network;
  readonly info: DatasetInfo;
  /** Name of a registered strategy. */
  readonly strategy: string;
  readonly strategySettings?: StrategySettings | undefined;
  readonly numInputSteps: number;
  readonly numInterSteps: number;
  /** True when the network is told which values exist: then initial fields and forcings may have gaps. Default false. */
  readonly maskAsInput?: boolean | undefined;
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
  /** Told how the network's forward was prepared. Default: nobody. */
  readonly logger?: Logger | undefined;
}

/** A network as a TimeLoop; see the top of this file. Dispose it to free its static tensors; the network stays the caller's. */
export class Inference implements TimeLoop<InferenceRestart>, Disposable {
  readonly inChannelNames: readonly string[];
  readonly outChannelNames: readonly string[];
  readonly grid: Grid;
  readonly nHistoryLevels: number;
  readonly historyTimeStep: number;
  readonly timeStep: number;
  readonly acceptsMissing: boolean;
  readonly precision: Precision;
  readonly device: string;
  /** Lines for people: what is interpolated, what is left free. */
  readonly notes: readonly string[];
  readonly #parts: InferenceParts;
  readonly #context: RolloutContext;
  readonly #prepared: PreparedForward;
  /** (F) each, on the device: all features, prognostic ones first. */
  readonly #mean: Tensor;
  readonly #std: Tensor;
  readonly #forcings: ForcingFields;
  readonly #border: Boundary | undefined;

  /**
   * @throws DataError when a source for the forcings is needed and missing, or a source does not fit; ConfigError for border data
   * that the model has no use for
   */
  constructor(parts: InferenceParts, options: InferenceOptions = {}) {
    const { info, network, strategy, strategySettings, numInterSteps, maskAsInput = false } = parts;
    this.#parts = parts;
    this.device = options.device ?? "cpu";
    this.precision = resolvePrecision(options.precision ?? "auto", this.device);
    this.grid = info.grid;
    this.timeStep = info.stepSeconds;
    this.historyTimeStep = info.stepSeconds;
    this.acceptsMissing = maskAsInput;
    const settings = { strategy, strategySettings, numInterSteps, device: this.device, hasMask: maskAsInput };
    this.#context = prepareRollout(network, info, settings);
    this.#forcings = new ForcingFields(info, options.forcingSource, { allowMissing: maskAsInput });
    const { usesStates } = this.#context.model.strategy;
    this.inChannelNames = usesStates ? prognosticFeatures(info).map((feature) => feature.name) : [];
    this.outChannelNames = info.features.map((feature) => feature.name);
    this.nHistoryLevels = usesStates ? parts.numInputSteps : 1;
    this.#border = this.#openBorder(options.borderSource);
    this.notes = this.#describe();
    const stats = (key: "mean" | "std") =>
      torch.tensor(
        this.outChannelNames.map((name) => info.stats[name]?.[key] ?? Number(key === "std")),
        { device: this.device },
      );
    this.#mean = torch.keep(stats("mean"));
    this.#std = torch.keep(stats("std"));
    network.eval();
    const { precision, device } = this;
    this.#prepared = prepareForInference(network, { precision, device, logger: options.logger });
  }

  /** Opens a package's network. The network is freed together with the Inference. */
  static async fromPackage(pkg: ModelPackage, options: InferenceOptions = {}): Promise<Inference> {
    const info = await pkg.info();
    const network = await pkg.network({ device: options.device ?? "cpu" });
    const { strategy, strategySettings, numInputSteps, numInterSteps, maskAsInput } = pkg;
    const parts = { network, info, strategy, strategySettings, numInputSteps, numInterSteps, maskAsInput };
    return new Inference(parts, options);
  }

  requireData(initialTimes: readonly number[], steps: number): void {
    const leads = Array.from({ length: steps }, (_, i) => (i + 1) * this.timeStep);
    const valid = initialTimes.flatMap((start) => leads.map((lead) => start + lead));
    this.#forcings.requireTimes(this.#interpolates ? [...initialTimes, ...valid] : valid);
    this.#border?.requireTimes(valid);
  }

  async *run(
    time: number,
    x: Tensor | undefined,
    restart?: InferenceRestart,
  ): AsyncGenerator<TimeLoopStep<InferenceRestart>, void, undefined> {
    const { forcingNames } = this.#parts.info;
    const slots = new InputSlots([...this.inChannelNames, ...forcingNames]);
    let now = restart ? restart.time : time;
    let history = restart ? restart.history.map(copyPast) : this.#normaliseHistory(x);
    let before: StepForcing | undefined;
    try {
      const first = restart ? copy(restart.output) : this.#initialCondition(x!);
      const batch = first.size(0);
      slots.refresh(this.inChannelNames, now);
      yield this.#item(now, first, history);
      if (this.#interpolates) before = await this.#forcing(now, batch);
      for (;;) {
        const next = now + this.timeStep;
        const forcing = await this.#forcing(next, batch);
        slots.refresh(forcingNames, next);
        const border = await this.#knownBorder(next);
        slots.require(this.inChannelNames, now);
        slots.require(forcingNames, next);
        const [state, output] = this.#step(history, { forcing, before, border });
        border?.state.dispose();
        disposeForcing(before);
        if (this.#interpolates) before = forcing;
        else disposeForcing(forcing);
        history = this.#shift(history, state);
        now = next;
        slots.refresh(
          this.outChannelNames.filter((name) => this.inChannelNames.includes(name)),
          now,
        );
        this.#requireFinite(output, now, time);
        yield this.#item(now, output, history);
      }
    } finally {
      disposeForcing(before);
      for (const past of history) disposePast(past);
    }
  }

  [Symbol.dispose](): void {
    this.#prepared.dispose();
    this.#context.dispose();
    this.#mean.dispose();
    this.#std.dispose();
  }

  /** Whether border and forcing move within a step. */
  get #interpolates(): boolean {
    const { model, numInterSteps } = this.#context;
    return model.strategy.interpolatesInterSteps && numInterSteps > 1;
  }

  #openBorder(source: Source | undefined): Boundary | undefined {
    if (source === undefined) return undefined;
    const { info } = this.#parts;
    const { strategy } = this.#context.model;
    if (!this.#context.hasBorder) {
      const why = strategy.forcesBorder
        ? "it was trained without a border (border_size 0)"
        : `its strategy ${strategy.name} forces none`;
      throw new ConfigError(`border data were given, but the model has no use for them: ${why}`, {
        where: source.description,
        hint: "leave the border data out",
      });
    }
    const { grid, stepSeconds, statics } = info;
    return new Boundary({ source, features: prognosticFeatures(info), grid, mask: statics.borderMask, stepSeconds });
  }

  #describe(): string[] {
    if (this.#border) return this.#border.note === undefined ? [] : [this.#border.note];
    if (!this.#context.hasBorder) return [];
    const { borderSize } = this.#parts.info;
    return [
      `the model was trained with a known border of ${borderSize} cells; without border data it is the model's own`,
    ];
  }

  #item(time: number, output: Tensor, history: readonly PastState[]): TimeLoopStep<InferenceRestart> {
    return {
      time,
      output,
      get restart() {
        const kept = { time, history: history.map(copyPast), output: copy(output) };
        return {
          ...kept,
          [Symbol.dispose]() {
            for (const past of kept.history) disposePast(past);
            kept.output.dispose();
          },
        };
      },
    };
  }

  #normaliseHistory(x: Tensor | undefined): PastState[] {
    const [ny, nx] = this.grid.shape;
    const channels = this.inChannelNames.length;
    const wanted = [this.nHistoryLevels, channels, ny, nx];
    if (x?.ndim !== 5 || x.shape.slice(1).join() !== wanted.join()) {
      throw new ModelError(
        `the initial state has shape (${x?.shape.join(", ") ?? "none"}), the model takes (batch, ${wanted.join(", ")})`,
        { hint: "dimensions are batch, history (oldest first), channels, latitude, longitude" },
      );
    }
    if (channels === 0) return [];
    const { network, info } = this.#parts;
    return torch.inferenceMode(() =>
      torch.scope(() => {
        const inputs = x
          .to(this.device)
          .permute([0, 1, 3, 4, 2])
          .contiguous()
          .sub(this.#mean.narrow(0, 0, channels))
          .div(this.#std.narrow(0, 0, channels));
        return [...inNetworkLayout(network, info, { inputs }).inputs.iterTensorDim("timestep")].map((state) => {
          if (!this.acceptsMissing) return { state, mask: undefined };
          const mask = state.isfinite().all(-1, { keepdim: true }).to("float32");
          return { state: torch.where(state.isfinite(), state, torch.zerosLike(state)), mask };
        });
      }),
    );
  }

  /** (B, F, H, W): the newest fields as they came; NaN for what a model does not start from. */
  #initialCondition(x: Tensor): Tensor {
    const [ny, nx] = this.grid.shape;
    const unknown = this.#parts.info.features.length - this.inChannelNames.length;
    return torch.inferenceMode(() =>
      torch.scope(() => {
        const newest = x.to(this.device).select(1, this.nHistoryLevels - 1);
        if (unknown === 0) return newest.clone();
        const nothing = torch.full([x.size(0), unknown, ny, nx], Number.NaN, { device: this.device });
        return torch.cat([newest, nothing], { dim: 1 });
      }),
    );
  }

  /** The normalised state one step later, and its physical fields as (B, F, H, W). */
  #step(history: readonly PastState[], known: KnownAhead): readonly [Tensor, Tensor] {
    const { forcing, before, border } = known;
    const model = { ...this.#context.model, network: this.#prepared };
    return torch.inferenceMode(() =>
      torch.scope(() => {
        const masks = [...history.map((past) => past.mask), forcing.mask].filter((mask) => mask !== undefined);
        const { state, prediction } = withPrecision(this.precision, this.device, () =>
          advance(model, {
            previousStates: history.map((past) => past.state),
            forcing: forcing.values,
            startForcing: before?.values,
            mask: masks.length === 0 ? undefined : masks.reduce((a, b) => a.mul(b)),
            border,
          }),
        );
        return [state, this.#physical(prediction)] as const;
      }),
    );
  }

  /** The history after a step: without its oldest state, with the new one. */
  #shift(history: PastState[], state: Tensor): PastState[] {
    if (history.length === 0) {
      state.dispose();
      return [];
    }
    disposePast(history[0]!);
    return [...history.slice(1), { state, mask: undefined }];
  }

  /** A normalised prediction in the network's layout as (B, F, H, W) in physical units. */
  #physical(prediction: Tensor): Tensor {
    const [ny, nx] = this.grid.shape;
    const [batch, features] = [prediction.size(0), prediction.size(-1)];
    const state = onGridAgain(prediction, [batch, ny, nx, features]);
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

  async #forcing(time: number, batch: number): Promise<StepForcing> {
    const { network, info } = this.#parts;
    const { values, mask } = await this.#forcings.at(time);
    const [ny, nx] = info.grid.shape;
    return torch.scope(() => {
      const onGrid = (field: Float32Array, width: number) =>
        torch
          .fromTypedArray(field, [1, 1, ny, nx, width])
          .to(this.device)
          .expand([batch, 1, ny, nx, width])
          .contiguous();
      const forcing = onGrid(values, info.forcingNames.length);
      const laidOut = inNetworkLayout(network, info, { forcing }).forcing.selectTensorDim("timestep", 0);
      return { values: laidOut, mask: mask && inLayoutOf(onGrid(mask, 1).select(1, 0), laidOut) };
    });
  }

  async #knownBorder(time: number): Promise<KnownBorder | undefined> {
    if (!this.#border) return undefined;
    const fields = await this.#border.fields(time);
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
          .sub(this.#mean.narrow(0, 0, fields.length))
          .div(this.#std.narrow(0, 0, fields.length))
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

/** What is known of the step about to be made. */
interface KnownAhead {
  readonly forcing: StepForcing;
  /** The forcing at its start, where it is interpolated. */
  readonly before: StepForcing | undefined;
  readonly border: KnownBorder | undefined;
}
