// Arithmetic of training and inference: float32 throughout, or bfloat16 autocast over channels-last activations.
// Weights, optimiser state, states and losses are float32 in both.

import * as torch from "@foehn/torch";
import { UsageError } from "../core/errors.js";

/** Values of `--precision`. */
export const precisionNames = ["auto", "fp32", "bf16-mixed"] as const;
/** A value of `--precision`; `auto` is bf16-mixed where the processor or GPU is fast at it. */
export type PrecisionName = (typeof precisionNames)[number];
/** A decided precision. */
export type Precision = Exclude<PrecisionName, "auto">;

/** Decides `auto`: bf16-mixed on CUDA and on processors with AMX or AVX-512 bf16 instructions, fp32 elsewhere. */
export function resolvePrecision(name: PrecisionName, device = "cpu"): Precision {
  if (name !== "auto") return name;
  return device.startsWith("cuda") || torch.cpuCapabilities().bf16 ? "bf16-mixed" : "fp32";
}

/** Decides a device: `auto` is the first GPU where there is one. @throws UsageError for a GPU that is not there */
export function resolveDevice(name: string): string {
  if (name === "auto") return torch.cuda.isAvailable() ? "cuda:0" : "cpu";
  if (name.startsWith("cuda") && !torch.cuda.isAvailable()) {
    throw new UsageError(`device "${name}" asked for, but this libtorch finds no CUDA device`, {
      hint: "use --device cpu, or see `foehn doctor`",
    });
  }
  return name;
}

/** Runs `fn` in the precision. Only forward passes belong inside; gradients follow the types of the forward. */
export function withPrecision<T>(precision: Precision, device: string, fn: () => T): T {
  if (precision === "fp32") return fn();
  return torch.autocast({ device: device.startsWith("cuda") ? "cuda" : "cpu", dtype: "bfloat16" }, fn);
}
