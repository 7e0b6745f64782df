// Optimizers, gradient clipping and learning-rate schedules, with PyTorch's names and defaults.
export { Adam, type AdamSettings, AdamW } from "./adam.js";
export { type ClipGradNormOptions, clipGradNorm, clipGradValue } from "./clip.js";
export {
  type GroupSettings,
  Optimizer,
  type OptimizerState,
  type ParamGroup,
  type Params,
} from "./optimizer.js";
export {
  ConstantLR,
  CosineWarmup,
  type CosineWarmupOptions,
  LambdaLR,
  LRScheduler,
  type SchedulerState,
  StepLR,
} from "./schedulers.js";
export { SGD, type SgdSettings } from "./sgd.js";
