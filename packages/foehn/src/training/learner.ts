// Learner: the network with everything that changes it: loss, gradients, optimiser, schedule, random numbers. It knows batches
// but not epochs, files or people; train.ts drives it. All its work runs inside scopes, so live memory stays flat.

import * as torch from "@foehn/torch";
import { optim, type Tensor } from "@foehn/torch";
import { NumericalError } from "../core/errors.js";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import type { Network } from "../models/network.js";
import type { Checkpoint } from "./checkpoints.js";
import { type Ensemble, lossOfMembers, withMembers } from "./ensemble.js";
import { inputMasking } from "./input-masking.js";
import { type Loss, lossContext } from "./losses/loss.js";
import { createLoss } from "./losses/registry.js";
import { createOptimizer, type Optimizer } from "./optimizers.js";
import { type TrainOptions, usesMask } from "./options.js";
import { type Precision, withPrecision } from "./precision.js";
import { prepareRollout, type RolloutContext } from "./rollout.js";
import { createSchedule, type Schedule } from "./schedules.js";
import type { TrainingState } from "./state.js";
import { StepTimes } from "./step-times.js";
import { accumulateGradients } from "./unroll.js";

/** What a learner is made of. */
export interface LearnerInput {
  readonly network: Network;
  readonly info: DatasetInfo;
  readonly options: TrainOptions;
  readonly precision: Precision;
  readonly device: string;
  /** Optimiser steps of the whole training, for the cosine. */
  readonly totalSteps: number;
}

/** What one optimiser step did. */
export interface StepResult {
  /** Learning rate of the step. */
  readonly lr: number;
  /** Norm of all gradients before clipping. */
  readonly gradNorm: number;
  /** False when the gradients were not finite: then nothing was changed. */
  readonly isDone: boolean;
}

/** Trains a network batch by batch. */
export class Learner {
  readonly network: Network;
  readonly loss: Loss;
  readonly context: RolloutContext;
  /** Steps of each batch to unroll; the default is all. */
  numSteps: number | undefined;
  /** Null for a network without weights. */
  readonly optimizer: Optimizer | null;
  readonly schedule: Schedule | null;
  /** Moving average of the weights, where it is asked for. */
  readonly ema: optim.ExponentialMovingAverage | null;
  readonly ensemble: Ensemble;
  readonly times = new StepTimes();
  readonly #input: LearnerInput;
  /** The context of training: parts of the input may be hidden. */
  readonly #training: RolloutContext;

  constructor(input: LearnerInput) {
    const { network, info, options, device } = input;
    this.#input = input;
    this.network = network;
    // Channels-last weights spare the convolutions a reordering at every call, in float32 too.
    network.to({ device, ...(network.activationLayout === "channels_last" && { memoryFormat: "channels_last" }) });
    network.train();
    this.context = prepareRollout(network, info, {
      strategy: options.strategy,
      strategySettings: options.strategy_settings,
      hasMask: usesMask(options, info),
      outputStd: options.output_std,
      numInterSteps: options.num_inter_steps,
      device,
    });
    const corrupt = options.mask_ratio > 0 ? inputMasking(info.grid.shape, options.mask_ratio) : undefined;
    this.#training = { ...this.context, model: { ...this.context.model, corrupt } };
    this.loss = createLoss(options.loss, lossContext(info, this.context.statics.interiorMask.tensor, options));
    this.optimizer = createOptimizer(network, options);
    this.schedule = this.optimizer === null ? null : createSchedule(this.optimizer, options, input.totalSteps);
    const { ema_decay: decay, ema_warmup: warmup } = options;
    this.ema = decay === null ? null : new optim.ExponentialMovingAverage(network, { decay, warmup });
    this.ensemble = { size: options.ensemble_size, noise: options.ensemble_noise };
  }

  /**
   * Forward and backward of one batch; gradients add up until `step`.
   * @param share the batch's share of the optimiser step: 1 / number of batches accumulated
   * @returns the loss of the batch; nothing was added to the gradients when it is not finite
   */
  accumulate(batch: ItemBatch, share: number): number {
    const { options, precision, device } = this.#input;
    const { ensemble, times } = this;
    return torch.scope(() => {
      // A forward that goes wrong spoils the running statistics of batch norms too.
      const buffers = options.skip_nonfinite === 0 ? [] : this.network.buffers();
      const before = buffers.map((buffer) => buffer.clone());
      let backwardSeconds = 0;
      const startedAt = performance.now();
      const value = accumulateGradients(this.#training, withMembers(batch, ensemble), {
        numSteps: this.numSteps,
        pushforwardSteps: options.pushforward_steps,
        checkpoint: options.checkpoint_steps,
        share,
        loss: lossOfMembers(this.loss, ensemble.size),
        forward: (fn) => withPrecision(precision, device, fn),
        backward: (fn) => {
          const start = performance.now();
          fn();
          backwardSeconds += (performance.now() - start) / 1000;
        },
      });
      times.add("backward", backwardSeconds);
      times.add("forward", (performance.now() - startedAt) / 1000 - backwardSeconds);
      if (!Number.isFinite(value)) {
        torch.noGrad(() => {
          for (const [i, buffer] of buffers.entries()) buffer.copy_(before[i]!);
        });
      }
      return value;
    });
  }

  /** One step of optimiser, average and schedule from the gradients so far; nothing but the schedule when they are not finite. */
  step(): StepResult {
    return this.times.measure("optimizer", () => {
      const { optimizer } = this;
      if (optimizer === null) return { lr: 0, gradNorm: 0, isDone: true };
      const gradNorm = this.#clip();
      const lr = optimizer.paramGroups[0]!.lr;
      const isDone = Number.isFinite(gradNorm);
      if (isDone) {
        optimizer.step();
        this.ema?.update();
      }
      this.skip();
      return { lr, gradNorm, isDone };
    });
  }

  /** Forgets the gradients; the schedule moves on. */
  skip(): void {
    this.optimizer?.zeroGrad();
    this.schedule?.stepped();
  }

  /** Clips as the options say. @returns the norm of the gradients before */
  #clip(): number {
    const { gradient_clip_norm: maxNorm, gradient_clip_value: maxValue } = this.#input.options;
    const parameters = this.network.parameters();
    const norm = maxNorm === null ? optim.gradNorm(parameters) : optim.clipGradNorm(parameters, maxNorm);
    if (maxValue !== null) optim.clipGradValue(parameters, maxValue);
    return norm;
  }

  /** Members that nothing sets apart cost their number of forecasts and say nothing of spread. */
  warnOfEqualMembers(warn: (line: string) => void): void {
    const { size, noise } = this.ensemble;
    // The zoo's own: what else a plugin's network draws is its author's affair, and this is a warning only.
    const draws = this.network.modules().some((module) => /Drop/.test(module.constructor.name));
    if (size === 1 || noise > 0 || draws) return;
    warn(`all ${size} members of the ensemble will be equal: the network has no dropout, and ensemble_noise is 0`);
  }

  /** Runs `fn` with the weights that are to be judged (the average, where there is one); random numbers go on afterwards as before. */
  async evaluating<T>(fn: () => Promise<T>): Promise<T> {
    const random = this.#randomState();
    torch.manualSeed(this.#input.options.seed);
    try {
      return await (this.ema === null ? fn() : this.ema.withAverage(fn));
    } finally {
      this.#restoreRandom(random);
      for (const tensor of random.values()) tensor.dispose();
    }
  }

  /** @throws NumericalError naming weights that are NaN or infinite */
  checkWeights(where: string): void {
    torch.noGrad(() =>
      torch.scope(() => {
        const state = this.network.stateDict();
        const bad = [...state].filter(([, tensor]) => !Number.isFinite(tensor.to("float64").sum().item() as number));
        if (bad.length === 0) return;
        throw new NumericalError(
          `${bad.length} of ${state.size} weights are no longer finite, "${bad[0]![0]}" among them`,
          {
            where,
            hint: "lower --lr, or set --gradient-clip-norm 1; the last good checkpoint is kept",
          },
        );
      }),
    );
  }

  /** Everything for a checkpoint. The tensors share memory with the learner: write them before the next step. */
  checkpoint(state: TrainingState): Checkpoint<TrainingState> {
    const saved = this.optimizer?.stateDict();
    const optimizer = new Map<string, Tensor>(
      saved === undefined ? [] : [...saved.tensors].map(([k, v]) => [`optimizer.${k}`, v]),
    );
    for (const [name, parameter] of this.network.namedParameters()) {
      const gradient = parameter.grad;
      if (gradient !== null) optimizer.set(`gradient.${name}`, gradient);
    }
    for (const [name, tensor] of this.#randomState()) optimizer.set(name, tensor);
    const weights = this.network.stateDict();
    // With an average, that is the model; the weights of training are kept for a resume.
    if (this.ema !== null) for (const [name, tensor] of weights) optimizer.set(`weights.${name}`, tensor);
    return {
      model: this.ema?.stateDict() ?? weights,
      optimizer,
      state: {
        ...state,
        scheduler: this.schedule?.stateDict() ?? null,
        ema_updates: this.ema?.numUpdates ?? 0,
        optimizer_groups: saved?.paramGroups ?? [],
      },
    };
  }

  /** Goes back to a checkpoint. */
  restore({ model, optimizer, state }: Checkpoint<TrainingState>): void {
    this.network.loadStateDict(this.ema === null ? model : withPrefix(optimizer, "weights."));
    this.ema?.loadStateDict(model, state.ema_updates ?? 0);
    this.optimizer?.loadStateDict({
      tensors: withPrefix(optimizer, "optimizer."),
      paramGroups: state.optimizer_groups,
    });
    const parameters = this.network.namedParameters();
    this.network.zeroGrad();
    for (const [name, gradient] of withPrefix(optimizer, "gradient.")) {
      const parameter = parameters.get(name);
      if (parameter !== undefined) parameter.grad = torch.noGrad(() => torch.emptyLike(parameter).copy_(gradient));
    }
    if (state.scheduler !== null) this.schedule?.loadStateDict(state.scheduler);
    this.#restoreRandom(optimizer);
  }

  #randomState(): Map<string, Tensor> {
    const { device } = this.#input;
    const states = new Map([["rng.cpu", torch.getRngState()]]);
    if (device.startsWith("cuda")) states.set("rng.device", torch.getRngState(device));
    return states;
  }

  #restoreRandom(states: ReadonlyMap<string, Tensor>): void {
    const { device } = this.#input;
    const cpu = states.get("rng.cpu");
    if (cpu !== undefined) torch.setRngState(cpu);
    const other = states.get("rng.device");
    if (other !== undefined && device.startsWith("cuda")) torch.setRngState(other, device);
  }

  /** Frees optimiser state and constants; the network stays. */
  dispose(): void {
    this.optimizer?.dispose();
    this.ema?.dispose();
    this.network.zeroGrad();
    this.context.dispose();
    this.loss.dispose();
  }
}

function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) if (name.startsWith(prefix)) found.set(name.slice(prefix.length), tensor);
  return found;
}
