// Random numbers: PyTorch's generators, so the same seed gives the same numbers as there.
import type { Device } from "./dtype.js";
import { adopt } from "./handles.js";
import { native } from "./native.js";
import { GeneratorHandle } from "./schema.js";
import type { Tensor } from "./tensor.js";

/** A random generator of its own, for operators that take `generator`. */
export class Generator extends GeneratorHandle {
  readonly device: Device;

  constructor(options: { readonly device?: Device; readonly seed?: number | bigint } = {}) {
    const device = options.device ?? "cpu";
    super(native.newGenerator(device));
    this.device = device;
    if (options.seed !== undefined) this.manualSeed(options.seed);
  }

  manualSeed(seed: number | bigint): this {
    native.generatorSeed(this.index, seed);
    return this;
  }

  /** State as a uint8 tensor. */
  getState(): Tensor {
    return adopt(native.generatorState(this.index)) as Tensor;
  }

  setState(state: Tensor): this {
    native.setGeneratorState(this.index, state.handle);
    return this;
  }
}

/** Seeds the generators of all devices. */
export function manualSeed(seed: number | bigint): void {
  native.manualSeed(seed);
}

/** State of a device's default generator, a uint8 tensor that {@link setRngState} takes back. */
export function getRngState(device: Device = "cpu"): Tensor {
  return adopt(native.rngState(device)) as Tensor;
}

/** Puts a state back that {@link getRngState} gave. */
export function setRngState(state: Tensor, device: Device = "cpu"): void {
  native.setRngState(device, state.handle);
}
