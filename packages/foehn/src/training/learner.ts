// Learner: the network with everything that changes it: loss, gradients, optimiser, schedule, random numbers. It knows batches
// but not epochs, files or people; train.ts drives it. All its work runs inside scopes, so live memory stays flat.

import * as torch from "@foehn/torch";
import { optim, type Tensor } from "@foehn/torch";
import { NumericalError } from "../core/errors.js";
import type { DatasetInfo, ItemBatch } from "../datasets/dataset.js";
import type { Network } from "../models/network.js";
import type { Checkpoint } from "./checkpoints.js";
import { inputMasking } from "./input-masking.js";
import { type Loss, lossContext } from "./losses/loss.js";
import { createLoss } from "./losses/registry.js";
import { type TrainOptions, usesMask } from "./options.js";
import { type Precision, withPrecision } from "./precision.js";
import { prepareRollout, type RolloutContext } from "./rollout.js";
import type { TrainingState } from "./state.js";
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

/** Trains a network batch by batch. */
export class Learner {
  readonly network: Network;
  readonly loss: Loss;
  readonly context: RolloutContext;
  /** Null for a network without weights. */
  readonly optimizer: optim.AdamW | null;
  readonly scheduler: optim.LRScheduler | null;
  /** Steps of each batch to unroll; the default is all. */
  numSteps: number | undefined;
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
      numInterSteps: options.num_inter_steps,
      device,
    });
    const corrupt = options.mask_ratio > 0 ? inputMasking(info.grid.shape, options.mask_ratio) : undefined;
    this.#training = { ...this.context, model: { ...this.context.model, corrupt } };
    this.loss = createLoss(options.loss, lossContext(info, this.context.statics.interiorMask.tensor));
    const parameters = network.parameters();
    this.optimizer =
      parameters.length === 0
        ? null
        : new optim.AdamW(parameters, { lr: options.lr, betas: options.betas, weightDecay: options.weight_decay });
    this.scheduler = this.optimizer === null ? null : createScheduler(this.optimizer, options, input.totalSteps);
  }

  /**
   * Forward and backward of one batch; gradients add up until `step`.
   * @param share the batch's share of the optimiser step: 1 / number of batches accumulated
   * @returns the loss of the batch
   */
  accumulate(batch: ItemBatch, share: number): number {
    const { options, precision, device } = this.#input;
    return torch.scope(() =>
      accumulateGradients(this.#training, batch, {
        numSteps: this.numSteps,
        pushforwardSteps: options.pushforward_steps,
        checkpoint: options.checkpoint_steps,
        share,
        loss: this.loss,
        forward: (fn) => withPrecision(precision, device, fn),
      }),
    );
  }

  /** One optimiser and scheduler step from the gradients so far. @returns the learning rate it used */
  step(): number {
    const { optimizer, scheduler } = this;
    if (optimizer === null) return 0;
    const { gradient_clip_norm: maxNorm } = this.#input.options;
    if (maxNorm !== null) optim.clipGradNorm(this.network.parameters(), maxNorm);
    const lr = optimizer.paramGroups[0]!.lr;
    optimizer.step();
    optimizer.zeroGrad();
    scheduler?.step();
    return lr;
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
    optimizer.set("rng.cpu", torch.getRngState());
    const { device } = this.#input;
    if (device.startsWith("cuda")) optimizer.set("rng.device", torch.getRngState(device));
    return {
      model: this.network.stateDict(),
      optimizer,
      state: {
        ...state,
        scheduler: this.scheduler?.stateDict() ?? null,
        optimizer_groups: saved?.paramGroups ?? [],
      },
    };
  }

  /** Goes back to a checkpoint. */
  restore({ model, optimizer, state }: Checkpoint<TrainingState>): void {
    const { device } = this.#input;
    this.network.loadStateDict(model);
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
    if (state.scheduler !== null) this.scheduler?.loadStateDict(state.scheduler);
    const cpu = optimizer.get("rng.cpu");
    if (cpu !== undefined) torch.setRngState(cpu);
    const other = optimizer.get("rng.device");
    if (other !== undefined && device.startsWith("cuda")) torch.setRngState(other, device);
  }

  /** Frees optimiser state and constants; the network stays. */
  dispose(): void {
    this.optimizer?.dispose();
    this.network.zeroGrad();
    this.context.dispose();
    this.loss.dispose();
  }
}

function createScheduler(optimizer: optim.AdamW, options: TrainOptions, totalSteps: number): optim.LRScheduler {
  switch (options.scheduler) {
    case "constant":
      return new optim.ConstantLR(optimizer, { factor: 1 });
    case "step":
      return new optim.StepLR(optimizer, { stepSize: options.step_size, gamma: options.gamma });
    case "cosine":
      return new optim.CosineWarmup(optimizer, {
        warmupSteps: Math.min(options.warmup_steps, totalSteps),
        totalSteps,
        minLr: options.min_lr,
      });
    default:
      throw new RangeError(`unknown scheduler ${options.scheduler satisfies never}`);
  }
}

function withPrefix(tensors: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) if (name.startsWith(prefix)) found.set(name.slice(prefix.length), tensor);
  return found;
}
