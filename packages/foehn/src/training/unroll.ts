// How the gradients of a training batch come about: the forecast is unrolled, the loss taken, and its gradient led back through the
// steps. Two ways: the plain one keeps the activations of all steps; with `checkpoint` only the states between the steps stay, and
// each step is computed again on the way back, from the same random numbers, so the gradients are the same (Chen et al. 2016).
// Pushforward (Brandstetter et al. 2022): the first steps are made without gradients, so the network learns on its own forecasts.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { ItemBatch } from "../datasets/dataset.js";
import { NamedTensor } from "../tensor/named-tensor.js";
import type { Loss } from "./losses/loss.js";
import { inLayoutOf } from "./network-layout.js";
import { type RolloutContext, startUnroll, type Unroll } from "./rollout.js";
import type { Advanced } from "./step.js";

/** How to unroll. */
export interface UnrollOptions {
  /** The first steps of the batch only; default all. */
  readonly numSteps?: number | undefined;
  /** Of these, so many without gradient and loss. Default 0. */
  readonly pushforwardSteps?: number | undefined;
  /** Keep only the states between steps. Default false. */
  readonly checkpoint?: boolean | undefined;
  /** Factor of the gradients. Default 1. */
  readonly share?: number | undefined;
  readonly loss: Loss;
  /** Wraps the calls of the network: precision. */
  readonly forward: <T>(fn: () => T) => T;
  /** Wraps the way back: time. Default: nothing. */
  readonly backward?: (fn: () => void) => void;
}

/**
 * Forward and backward of a batch. Gradients are added to those of the network's parameters, unless the loss is not finite.
 * Call it inside a scope.
 * @returns the loss, a mean over samples and steps
 */
export function accumulateGradients(context: RolloutContext, batch: ItemBatch, options: UnrollOptions): number {
  const unroll = startUnroll(context, batch);
  const steps = { first: options.pushforwardSteps ?? 0, end: options.numSteps ?? unroll.numSteps };
  return options.checkpoint ? recomputed(context, unroll, batch, steps, options) : plain(unroll, batch, steps, options);
}

/** Steps that count in the loss. */
interface Steps {
  readonly first: number;
  readonly end: number;
}

function plain(unroll: Unroll, batch: ItemBatch, steps: Steps, options: UnrollOptions): number {
  let states = unroll.initialStates;
  const run = (from: number, to: number): Tensor[] => {
    const predictions: Tensor[] = [];
    for (let i = from; i < to; i++) {
      const { state, prediction } = unroll.step(i, states);
      predictions.push(prediction);
      states = unroll.shift(states, state);
    }
    return predictions;
  };
  // On its own: weights that autocast has cast without gradients must not be used again with them.
  if (steps.first > 0) options.forward(() => torch.noGrad(() => run(0, steps.first)));
  const predictions = options.forward(() => run(steps.first, steps.end));
  const loss = meanLoss(unroll.onGrid(predictions), batch, steps, options.loss);
  const value = loss.item() as number;
  if (Number.isFinite(value) && loss.requiresGrad) goBack(options, () => scaled(loss, options.share).backward());
  return value;
}

/** What is kept of a step on the way forward. */
interface Kept {
  /** Before the step, oldest first. */
  readonly states: readonly Tensor[];
  readonly random: RandomState;
  readonly made: Advanced;
}

function recomputed(
  context: RolloutContext,
  unroll: Unroll,
  batch: ItemBatch,
  steps: Steps,
  options: UnrollOptions,
): number {
  const { network } = context;
  const device = batch.outputs.device;
  const kept: Kept[] = [];
  let states = unroll.initialStates;
  for (let i = 0; i < steps.end; i++) {
    const random = randomState(device);
    const made = options.forward(() => torch.noGrad(() => torch.scope(() => unroll.step(i, states))));
    kept.push({ states, random, made });
    states = unroll.shift(states, made.state);
  }
  const counted = kept.slice(steps.first).map(({ made }) => made.prediction);
  const prediction = unroll.onGrid(counted);
  const leaf = prediction.tensor.detach().requiresGrad_();
  const loss = meanLoss(new NamedTensor(leaf, prediction.names, prediction.featureNames), batch, steps, options.loss);
  const value = loss.item() as number;
  if (!Number.isFinite(value) || !loss.requiresGrad || network.parameters().length === 0) return value;
  goBack(options, () => {
    scaled(loss, options.share).backward();
    backThroughSteps(context, unroll, leaf.grad!, { steps, kept, options });
  });
  return value;
}

const goBack = ({ backward = (fn) => fn() }: UnrollOptions, fn: () => void): void => backward(fn);

/** Computes each step again, the last one first, and leads the gradient back through it. */
function backThroughSteps(
  { network }: RolloutContext,
  unroll: Unroll,
  ofLoss: Tensor,
  input: Pick<BackwardInput, "steps" | "kept" | "options">,
): void {
  const { steps, kept } = input;
  const { device } = ofLoss;
  const random = randomState(device);
  const buffers = network.buffers().map((buffer) => ({ buffer, before: torch.noGrad(() => buffer.clone()) }));
  const gradients = new StateGradients();
  for (let i = steps.end - 1; i >= steps.first; i--) {
    const ofStep = ofLoss.select(1, i - steps.first);
    torch.scope(() => backThroughStep(unroll, i, kept[i]!, { ...input, ofLoss: ofStep, gradients }));
  }
  gradients.dispose();
  // Running statistics have seen each step twice by now.
  torch.noGrad(() => {
    for (const { buffer, before } of buffers) buffer.copy_(before);
  });
  setRandomState(random, device);
}

interface BackwardInput {
  /** Of the loss with respect to the step's prediction, on the grid. */
  readonly ofLoss: Tensor;
  readonly gradients: StateGradients;
  readonly steps: Steps;
  readonly kept: readonly Kept[];
  readonly options: UnrollOptions;
}

function backThroughStep(unroll: Unroll, i: number, { states, random, made }: Kept, input: BackwardInput): void {
  const { ofLoss, gradients, steps, kept, options } = input;
  setRandomState(random, made.state.device);
  // Only what later steps made of the loss goes back into states that came out of counted steps.
  const counted = new Set(kept.slice(steps.first, i).map((step) => step.made.state));
  const leaves = states.map((state) => (counted.has(state) ? state.detach().requiresGrad_() : state));
  const { state, prediction } = options.forward(() => unroll.step(i, leaves));
  if (!prediction.requiresGrad) return;
  const ofPrediction = inLayoutOf(ofLoss, prediction);
  const ofState = gradients.take(made.state);
  if (ofState === undefined) prediction.backward(ofPrediction);
  else if (state === prediction) prediction.backward(ofPrediction.add(ofState));
  else torch.autograd.backward([prediction, state], [ofPrediction, ofState]);
  for (const [at, before] of states.entries()) {
    const gradient = leaves[at]!.grad;
    if (counted.has(before) && gradient !== null) gradients.add(before, gradient);
  }
}

/** Gradients with respect to states, summed over the steps that used them. */
class StateGradients {
  readonly #sums = new Map<Tensor, Tensor>();

  add(state: Tensor, gradient: Tensor): void {
    const before = this.#sums.get(state);
    if (before === undefined) this.#sums.set(state, torch.keep(gradient.clone()));
    else before.add_(gradient);
  }

  /** The sum, which is then forgotten; free it in the scope around. */
  take(state: Tensor): Tensor | undefined {
    const sum = this.#sums.get(state);
    this.#sums.delete(state);
    if (sum === undefined) return undefined;
    const taken = sum.clone();
    sum.dispose();
    return taken;
  }

  dispose(): void {
    for (const sum of this.#sums.values()) sum.dispose();
  }
}

/** The loss of counted predictions, a mean over samples and steps. */
function meanLoss(prediction: NamedTensor, batch: ItemBatch, { first, end }: Steps, loss: Loss): Tensor {
  const part = (named: NamedTensor) => named.slice("timestep", first, end);
  return loss.forward(prediction, part(batch.outputs), batch.mask && part(batch.mask).tensor).mean();
}

const scaled = (loss: Tensor, share = 1): Tensor => (share === 1 ? loss : loss.mul(share));

/** State of the generators that a step draws from. */
interface RandomState {
  readonly cpu: Tensor;
  readonly device: Tensor | undefined;
}

function randomState(device: string): RandomState {
  return { cpu: torch.getRngState(), device: device.startsWith("cuda") ? torch.getRngState(device) : undefined };
}

function setRandomState(state: RandomState, device: string): void {
  torch.setRngState(state.cpu);
  if (state.device !== undefined) torch.setRngState(state.device, device);
}
