// Public face of TensorBoard tracking.
export { EventWriter, type EventWriterOptions } from "./event-writer.js";
export { flattenHparams, type HparamValue, type SessionStatus } from "./hparams.js";
export { type TensorboardCallbackOptions, tensorboardCallback } from "./tensorboard-callback.js";
