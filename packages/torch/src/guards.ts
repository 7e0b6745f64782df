// Modes of the calling thread, on for the duration of a function: no gradients, inference, autocast.
// They belong to the thread, not to an asynchronous flow, so the function must be synchronous.
import { type DType, dtypeCode } from "./dtype.js";
import { TorchError } from "./errors.js";
import { native } from "./native.js";
import { isThenable } from "./scope.js";

function checked<T>(name: string, result: T): T {
  if (isThenable(result)) {
    throw new TorchError(
      `torch.${name} was given an asynchronous function, and its mode has already ended; use torch.${name} around each synchronous part`,
      { code: "ERR_TORCH_ARGUMENT" },
    );
  }
  return result;
}

function withGrad<T>(name: string, on: boolean, fn: () => T): T {
  const before = native.setGradEnabled(on);
  try {
    return checked(name, fn());
  } finally {
    native.setGradEnabled(before);
  }
}

/** Runs `fn` without recording operations for gradients. */
export function noGrad<T>(fn: () => T): T {
  return withGrad("noGrad", false, fn);
}

/** Records again inside a {@link noGrad}. */
export function enableGrad<T>(fn: () => T): T {
  return withGrad("enableGrad", true, fn);
}

/** Whether operations are recorded now. */
export function isGradEnabled(): boolean {
  return native.gradEnabled();
}

/** As {@link noGrad}, and cheaper: tensors made inside can never take part in autograd later. */
export function inferenceMode<T>(fn: () => T): T {
  native.pushInference(true);
  try {
    return checked("inferenceMode", fn());
  } finally {
    native.popInference();
  }
}

/** Whether {@link inferenceMode} is on. */
export function isInferenceMode(): boolean {
  return native.inferenceEnabled();
}

/** Options of {@link autocast}. */
export interface AutocastOptions {
  readonly device?: "cpu" | "cuda" | undefined;
  /** Default bfloat16 on the CPU, float16 on CUDA, as in PyTorch. */
  readonly dtype?: DType | undefined;
  readonly enabled?: boolean | undefined;
}

/** Runs `fn` with matrix products and convolutions in a 16-bit type; weights are cast once per outermost autocast. */
export function autocast<T>(options: AutocastOptions, fn: () => T): T {
  const device = options.device ?? "cpu";
  const dtype = options.dtype ?? (device === "cpu" ? "bfloat16" : "float16");
  const before = native.enterAutocast(device, options.enabled ?? true, dtypeCode(dtype));
  try {
    return checked("autocast", fn());
  } finally {
    native.exitAutocast(device, before.enabled, before.dtype);
  }
}

/** Whether {@link autocast} is on for a device. */
export function isAutocastEnabled(device: "cpu" | "cuda" = "cpu"): boolean {
  return native.autocastState(device).enabled;
}
