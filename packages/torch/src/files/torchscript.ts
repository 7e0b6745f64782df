// TorchScript: modules that Python exported with torch.jit, run without Python. PyTorch: torch.jit.load.
import { existsSync } from "node:fs";
import type { Device, DType } from "../dtype.js";
import { scope } from "../scope.js";
import { NativeScript, type ScriptValue } from "../script-native.js";
import type { Tensor } from "../tensor.js";
import { TensorFileError } from "./errors.js";

export type { ScriptValue } from "../script-native.js";
export { saveTorchScript as save } from "../trace/torchscript.js";

/** What a TorchScript method takes: tensors, numbers, text, arrays (list or tuple), Maps or plain objects (dict). */
export type ScriptArgument = ScriptValue | readonly ScriptArgument[] | { readonly [key: string]: ScriptArgument };

/**
 * A loaded TorchScript module. Values come back as tensors, numbers, text, arrays (of lists and tuples) and Maps (of dicts).
 * Free it with `dispose` (or `using`).
 */
export class ScriptModule implements Disposable {
  readonly #script: NativeScript;

  /** @internal Use `load`. */
  constructor(script: NativeScript) {
    this.#script = script;
  }

  /** Runs `forward` off the main thread, with the caller's gradient and autocast modes. */
  forward(...inputs: readonly ScriptArgument[]): Promise<ScriptValue> {
    return this.#script.runAsync("forward", inputs);
  }

  /** Runs `forward` here and now. */
  forwardSync(...inputs: readonly ScriptArgument[]): ScriptValue {
    return this.#script.run("forward", inputs);
  }

  /** Runs another exported method off the main thread. */
  call(method: string, ...inputs: readonly ScriptArgument[]): Promise<ScriptValue> {
    this.#check(method);
    return this.#script.runAsync(method, inputs);
  }

  /** Runs another exported method here and now. */
  callSync(method: string, ...inputs: readonly ScriptArgument[]): ScriptValue {
    this.#check(method);
    return this.#script.run(method, inputs);
  }

  #check(method: string): void {
    const known = this.methods().map(({ name }) => name);
    if (!known.includes(method))
      throw new RangeError(`the TorchScript module has no method "${method}"; it has ${known.join(", ")}`);
  }

  /** Methods with their schemas, such as `forward(__torch__.Net self, Tensor x) -> Tensor`. */
  methods(): readonly { readonly name: string; readonly schema: string }[] {
    return this.#script.methods();
  }

  /** Parameters by dotted name; references to the module's own. */
  namedParameters(): Map<string, Tensor> {
    return this.#script.parameters();
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** Parameters and buffers by dotted name, detached, sharing memory with the module. */
  stateDict(): Map<string, Tensor> {
    return scope(
      () =>
        new Map(
          [...this.#script.parameters(), ...this.#script.buffers()].map(([name, tensor]) => [name, tensor.detach()]),
        ),
    );
  }

  train(mode = true): this {
    this.#script.train(mode);
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Moves parameters and buffers, in place. */
  to({ device, dtype }: { readonly device?: Device; readonly dtype?: DType }): this {
    this.#script.to(device ?? null, dtype ?? null);
    return this;
  }

  dispose(): void {
    this.#script.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Loads a TorchScript archive, in evaluation or training mode as it was saved.
 * @throws TensorFileError when the file is not one, TorchError when it needs something this libtorch lacks
 */
export function load(path: string, { device }: { readonly device?: Device } = {}): ScriptModule {
  if (!existsSync(path)) throw new TensorFileError(path, "there is no such file");
  try {
    return new ScriptModule(NativeScript.load(path, device ?? null));
  } catch (error) {
    throw new TensorFileError(path, `cannot be loaded as TorchScript: ${(error as Error).message}`, { cause: error });
  }
}
