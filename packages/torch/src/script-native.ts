// TorchScript below its public class: tagged values of the native half to JavaScript values and back.
// Lists and tuples become arrays, dicts become Maps, tensors become Tensor.
import { type Device, type DType, dtypeCode } from "./dtype.js";
import { TorchError } from "./errors.js";
import { adopt, TensorHandle } from "./handles.js";
import { native, type Tagged } from "./native.js";
import type { Complex } from "./schema.js";
import type { Tensor } from "./tensor.js";

/** What TorchScript takes and gives. */
export type ScriptValue =
  | Tensor
  | number
  | bigint
  | boolean
  | string
  | null
  | Complex
  | readonly ScriptValue[]
  | ReadonlyMap<ScriptValue, ScriptValue>;

/** A value from the native half. */
export function untag(value: Tagged): ScriptValue {
  if (typeof value !== "object" || value === null) return value ?? null;
  if ("t" in value) return adopt(value.t) as Tensor;
  if ("l" in value) return value.l.map(untag);
  if ("u" in value) return value.u.map(untag);
  if ("d" in value) return new Map(value.d.map(([key, item]) => [untag(key), untag(item)]));
  return value;
}

/**
 * A value for the native half.
 * @throws TorchError for what TorchScript has no type for.
 */
export function tag(value: unknown): Tagged {
  if (value === null || value === undefined) return null;
  if (value instanceof TensorHandle) return { t: value.handle };
  if (Array.isArray(value)) return { l: value.map(tag) };
  if (value instanceof Map) return { d: [...value].map(([key, item]) => [tag(key), tag(item)] as const) };
  switch (typeof value) {
    case "number":
    case "bigint":
    case "boolean":
    case "string":
      return value;
    case "object":
      if (Object.getPrototypeOf(value) === Object.prototype) {
        return { d: Object.entries(value).map(([key, item]) => [key, tag(item)] as const) };
      }
  }
  throw new TorchError(`a ${typeof value} cannot be given to TorchScript`, { code: "ERR_TORCH_ARGUMENT" });
}

/** A loaded TorchScript module. */
export class NativeScript {
  readonly #id: number;

  /** @param id what the native half calls it */
  constructor(id: number) {
    this.#id = id;
  }

  static load(path: string, device: Device | null): NativeScript {
    return new NativeScript(native.scriptLoad(path, device));
  }

  save(path: string): void {
    native.scriptSave(this.#id, path);
  }

  run(method: string, args: readonly unknown[]): ScriptValue {
    return untag(native.scriptRun(this.#id, method, args.map(tag)));
  }

  /** Runs off the main thread, with the caller's gradient and autocast modes. */
  async runAsync(method: string, args: readonly unknown[]): Promise<ScriptValue> {
    return untag(await native.scriptRunAsync(this.#id, method, args.map(tag)));
  }

  parameters(): Map<string, Tensor> {
    return new Map(native.scriptParameters(this.#id).map(([name, handle]) => [name, adopt(handle) as Tensor]));
  }

  buffers(): Map<string, Tensor> {
    return new Map(native.scriptBuffers(this.#id).map(([name, handle]) => [name, adopt(handle) as Tensor]));
  }

  methods(): { name: string; schema: string }[] {
    return native.scriptMethods(this.#id);
  }

  train(on: boolean): void {
    native.scriptTrain(this.#id, on);
  }

  to(device: Device | null, dtype: DType | null): void {
    native.scriptTo(this.#id, device, dtype === null ? null : dtypeCode(dtype));
  }

  dispose(): void {
    native.scriptFree(this.#id);
  }
}

/** The bytes of a file that torch.load reads: a dict of names to tensors. */
export function pickleSave(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  return native.pickleSave(tag(tensors));
}
