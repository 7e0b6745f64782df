// Optimizers, averaging of weights, gradient clipping and learning-rate schedules, with PyTorch's names and defaults.
export { Adagrad, type AdagradSettings } from "./adagrad.js";
export { Adam, type AdamSettings, AdamW } from "./adam.js";
export { Adamax, type AdamaxSettings } from "./adamax.js";
export { type ClipGradNormOptions, clipGradNorm, clipGradValue, gradNorm } from "./clip.js";
export { type EmaOptions, ExponentialMovingAverage } from "./ema.js";
export { Lion, type LionSettings } from "./lion.js";
export { NAdam, type NAdamSettings } from "./nadam.js";
export {
  type GroupSettings,
  Optimizer,
  type OptimizerState,
  type ParamGroup,
  type Params,
} from "./optimizer.js";
export { RAdam, type RAdamSettings } from "./radam.js";
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from "./reduce-on-plateau.js";
export { RMSprop, type RMSpropSettings } from "./rmsprop.js";
export {
  ConstantLR,
  CosineWarmup,
  type CosineWarmupOptions,
  ExponentialLR,
  LambdaLR,
  LRScheduler,
  MultiStepLR,
  type SchedulerState,
  StepLR,
} from "./schedulers.js";
export { SGD, type SgdSettings } from "./sgd.js";
export {
  InverseSqrt,
  type InverseSqrtOptions,
  OneCycle,
  type OneCycleOptions,
  WarmupLR,
} from "./warmup-schedulers.js";
