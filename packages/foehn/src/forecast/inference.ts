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
import { namesWithStd } from "../training/output-std.js";
import { type Precision, type PrecisionName, resolvePrecision, withPrecision } from "../training/precision.js";
import { prepareRollout, type RolloutContext } from "../training/rollout.js";
import { advance, type KnownBorder } from "../training/step.js";
import type { StrategySettings } from "../training/strategies/strategy.js";
import { Boundary } from "./boundary.js";
import { ForcingFields } from "./forcing-fields.js";
import { InputSlots } from "./input-slots.js";
import { NetworkFields } from "./network-fields.js";
import {
  copy,
  copyPast,
  disposeForcing,
  disposePast,
  type PastState,
  type StepForcing,
  sharePast,
} from "./past-states.js";
import { distinctTimes } from "./rows.js";
import type { SourceTerm } from "./source-term.js";
import type { TimeLoop, TimeLoopStep } from "./time-loop.js";
import { later, requireInitialShape, runStepper, type StepperState, type TimeStepper } from "./time-stepper.js";

/** A moment of a forecast: what it goes on from. Nothing changes its tensors. */
export interface InferenceState extends StepperState {
  /** Where each row began. */
  readonly initialTimes: readonly number[];
  /** Oldest first; none where the strategy takes none. */
  readonly history: readonly PastState[];
  /** For which times each input of the network was last written. */
  readonly slots: InputSlots;
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
  /** True when the network gives a standard deviation beside each feature. Default false. */
  readonly outputStd?: boolean | undefined;
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
  /** A tendency added to the newest state before each step. */
  readonly source?: SourceTerm | undefined;
  /** Gives the network's standard deviations as channels `<name>_std` after the others, NaN at the initial time. Default false. */
  readonly outputStd?: boolean | undefined;
  /** Told how the network's forward was prepared. Default: nobody. */
  readonly logger?: Logger | undefined;
}

/** A network as a TimeLoop; see the top of this file. Dispose it to free its static tensors; the network stays the caller's. */
export class Inference implements TimeLoop<InferenceState>, TimeStepper<InferenceState>, Disposable {
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
  readonly #fields: NetworkFields;
  readonly #forcings: ForcingFields;
  readonly #border: Boundary | undefined;
  readonly #source: SourceTerm | undefined;

  /**
   * @throws DataError when a source for the forcings is needed and missing, or a source does not fit; ConfigError for border data
   * that the model has no use for, or standard deviations that it does not give
   */
  constructor(parts: InferenceParts, options: InferenceOptions = {}) {
    const { info, network, strategy, strategySettings, numInterSteps, maskAsInput = false, outputStd = false } = parts;
    this.#parts = parts;
    this.device = options.device ?? "cpu";
    this.precision = resolvePrecision(options.precision ?? "auto", this.device);
    this.grid = info.grid;
    this.timeStep = info.stepSeconds;
    this.historyTimeStep = info.stepSeconds;
    this.acceptsMissing = maskAsInput;
    const { device } = this;
    const settings = { strategy, strategySettings, numInterSteps, device, hasMask: maskAsInput, outputStd };
    this.#context = prepareRollout(network, info, settings);
    this.#forcings = new ForcingFields(info, options.forcingSource, { allowMissing: maskAsInput });
    const { usesStates } = this.#context.model.strategy;
    this.inChannelNames = usesStates ? prognosticFeatures(info).map((feature) => feature.name) : [];
    const names = info.features.map((feature) => feature.name);
    if (options.outputStd && !outputStd) throw givesNoStd(info.name);
    this.outChannelNames = options.outputStd ? namesWithStd(names) : names;
    this.nHistoryLevels = usesStates ? parts.numInputSteps : 1;
    this.#border = this.#openBorder(options.borderSource);
    this.#source = this.#checkedSource(options.source);
    this.notes = this.#describe();
    this.#fields = new NetworkFields({ network, info, device, hasStd: options.outputStd === true });
    network.eval();
    const { precision } = this;
    this.#prepared = prepareForInference(network, { precision, device, logger: options.logger });
  }

  /** Opens a package's network. The network is freed together with the Inference. */
  static async fromPackage(pkg: ModelPackage, options: InferenceOptions = {}): Promise<Inference> {
    const info = await pkg.info();
    const network = await pkg.network({ device: options.device ?? "cpu" });
    const { strategy, strategySettings, numInputSteps, numInterSteps, maskAsInput, outputStd } = pkg;
    const parts = { network, info, strategy, strategySettings, numInputSteps, numInterSteps, maskAsInput, outputStd };
    return new Inference(parts, options);
  }

  requireData(initialTimes: readonly number[], steps: number): void {
    const leads = Array.from({ length: steps }, (_, i) => (i + 1) * this.timeStep);
    const valid = initialTimes.flatMap((start) => leads.map((lead) => start + lead));
    this.#forcings.requireTimes(this.#interpolates ? [...initialTimes, ...valid] : valid);
    this.#border?.requireTimes(valid);
  }

  get stepper(): TimeStepper<InferenceState> {
    return this;
  }

  run(
    time: number | readonly number[],
    x: Tensor | undefined,
    restart?: InferenceState,
  ): AsyncGenerator<TimeLoopStep<InferenceState>, void, undefined> {
    return runStepper(this, time, x, restart);
  }

  async initialize(times: readonly number[], x: Tensor | undefined): Promise<InferenceState> {
    requireInitialShape(x, this);
    const slots = new InputSlots([...this.inChannelNames, ...this.#parts.info.forcingNames]);
    slots.refresh(this.inChannelNames, times);
    const [history, output] = torch.inferenceMode(() =>
      torch.scope(() => {
        // What a model does not start from is missing in the initial condition.
        const newest = x.to(this.device).select(1, this.nHistoryLevels - 1);
        return [this.#history(x), this.#fields.padded(newest)] as const;
      }),
    );
    return stateOf({ times, initialTimes: times, history, output, slots });
  }

  async step(state: InferenceState): Promise<InferenceState> {
    const { forcingNames } = this.#parts.info;
    const times = later(state.times, this.timeStep);
    const slots = new InputSlots(state.slots);
    let before: StepForcing | undefined;
    let forcing: StepForcing | undefined;
    let border: KnownBorder | undefined;
    let pushed: PastState[] = [];
    try {
      if (this.#interpolates) before = await this.#forcing(state.times);
      forcing = await this.#forcing(times);
      slots.refresh(forcingNames, times);
      border = await this.#knownBorder(times);
      slots.require(this.inChannelNames, state.times);
      slots.require(forcingNames, times);
      pushed = await this.#withSource(state);
      const [next, output] = this.#step(pushed, { forcing, before, border });
      const history = this.#shift(pushed, next);
      slots.refresh(
        this.outChannelNames.filter((name) => this.inChannelNames.includes(name)),
        times,
      );
      const after = stateOf({ times, initialTimes: state.initialTimes, history, output, slots });
      this.#requireFinite(after);
      return after;
    } finally {
      border?.state.dispose();
      disposeForcing(before);
      disposeForcing(forcing);
      for (const past of pushed) disposePast(past);
    }
  }

  copy(state: InferenceState): InferenceState {
    return stateOf({ ...state, history: state.history.map(copyPast), output: copy(state.output) });
  }

  withFields(state: InferenceState, fields: Tensor): InferenceState {
    const copied = () => fields.to(this.device).clone({ memoryFormat: "contiguous" });
    const output = torch.inferenceMode(() => torch.scope(copied));
    if (state.history.length === 0) return stateOf({ ...state, history: [], output });
    const newest = torch.inferenceMode(() =>
      torch.scope(() => this.#history(output.narrow(1, 0, this.inChannelNames.length).unsqueeze(1))),
    );
    return stateOf({ ...state, history: [...state.history.slice(0, -1).map(sharePast), ...newest], output });
  }

  [Symbol.dispose](): void {
    this.#prepared.dispose();
    this.#context.dispose();
    this.#fields[Symbol.dispose]();
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

  #checkedSource(source: SourceTerm | undefined): SourceTerm | undefined {
    if (source === undefined || this.inChannelNames.length > 0) return source;
    throw new ConfigError("a source term was given, but the model has no state to add it to", {
      hint: `its strategy ${this.#context.model.strategy.name} starts every step from the forcing alone`,
    });
  }

  #describe(): string[] {
    if (this.#border) return this.#border.note === undefined ? [] : [this.#border.note];
    if (!this.#context.hasBorder) return [];
    const { borderSize } = this.#parts.info;
    return [
      `the model was trained with a known border of ${borderSize} cells; without border data it is the model's own`,
    ];
  }

  /** The history to step from, under handles of its own: with the source term in its newest state, where there is one. */
  async #withSource({ history, times }: InferenceState): Promise<PastState[]> {
    const shared = history.map(sharePast);
    const newest = shared.at(-1);
    if (!this.#source || !newest) return shared;
    const x = torch.inferenceMode(() => torch.scope(() => this.#fields.physical(newest.state)));
    let tendency: Tensor | undefined;
    try {
      tendency = await this.#source(x, times);
      if (tendency.shape.join() !== x.shape.join()) {
        throw new ModelError(
          `the source term gave (${tendency.shape.join(", ")}) for a state of (${x.shape.join(", ")})`,
          { hint: "it gives a tendency in physical units per second for every input channel" },
        );
      }
      const rate = tendency;
      const state = torch.inferenceMode(() =>
        torch.scope(() => newest.state.add(this.#fields.change(rate.mul(this.timeStep)))),
      );
      newest.state.dispose();
      return [...shared.slice(0, -1), { state, mask: newest.mask }];
    } catch (error) {
      for (const past of shared) disposePast(past);
      throw error;
    } finally {
      if (tendency !== x) tendency?.dispose();
      x.dispose();
    }
  }

  /** Physical states (B, T, F, H, W) as the network takes them; none where it takes none. */
  #history(x: Tensor): PastState[] {
    return this.inChannelNames.length === 0 ? [] : this.#fields.states(x, { allowMissing: this.acceptsMissing });
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
        return [state, this.#fields.physical(prediction)] as const;
      }),
    );
  }

  /** The history after a step, under handles of its own: without its oldest state, with the new one. */
  #shift(history: readonly PastState[], state: Tensor): PastState[] {
    if (history.length > 0) return [...history.slice(1).map(sharePast), { state, mask: undefined }];
    state.dispose();
    return [];
  }

  async #forcing(times: readonly number[]): Promise<StepForcing> {
    const distinct = distinctTimes(times);
    const forcings = await this.#forcings.at(distinct.times);
    return torch.scope(() => this.#fields.forcing(forcings, distinct));
  }

  async #knownBorder(times: readonly number[]): Promise<KnownBorder | undefined> {
    if (!this.#border) return undefined;
    const distinct = distinctTimes(times);
    const fields = await this.#border.fields(distinct.times);
    const state = torch.inferenceMode(() => torch.scope(() => this.#fields.knownStates(fields, distinct)));
    return { state, mask: this.#context.networkStatics.borderMask.tensor };
  }

  #requireFinite(state: InferenceState): void {
    const sums = torch.inferenceMode(() => torch.scope(() => state.output.sum({ dim: [2, 3] }).toTypedArray()));
    const bad = [...sums].findIndex((sum) => !Number.isFinite(Number(sum)));
    if (bad === -1) return;
    const features = this.outChannelNames.length;
    const row = Math.floor(bad / features);
    const names = this.outChannelNames.filter((_, f) => !Number.isFinite(Number(sums[row * features + f])));
    const [time, start] = [state.times[row]!, state.initialTimes[row]!];
    const which = state.times.length === 1 ? "" : `, row ${row + 1} of ${state.times.length}`;
    state[Symbol.dispose]();
    throw new NumericalError(
      `the forecast is no longer finite at +${formatDuration(time - start)} (${formatTime(time)}${which}): ${names.join(", ")}`,
      { hint: "the model is unstable from this initial state; --precision fp32 tells whether rounding plays a part" },
    );
  }
}

/** For standard deviations that are asked for where there are none. */
export function givesNoStd(model: string): ConfigError {
  return new ConfigError(`the model ${model} gives no standard deviations`, {
    hint: "train one that does: foehn train --output-std --loss nll; without it leave --output-std out of the forecast",
  });
}

/** A state of these parts, which it frees. */
function stateOf(parts: Omit<InferenceState, typeof Symbol.dispose>): InferenceState {
  return {
    ...parts,
    [Symbol.dispose]() {
      for (const past of parts.history) disposePast(past);
      parts.output.dispose();
    },
  };
}

/** What is known of the step about to be made. */
interface KnownAhead {
  readonly forcing: StepForcing;
  /** The forcing at its start, where it is interpolated. */
  readonly before: StepForcing | undefined;
  readonly border: KnownBorder | undefined;
}
