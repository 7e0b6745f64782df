// torch.scope: what was created inside and is not returned is freed at the end. Compare tf.tidy, or C++'s own blocks.
import { TorchError } from "./errors.js";
import { currentScope, runInAsyncScope, ScopeFrame, setCurrentScope, TensorHandle } from "./handles.js";
import { native } from "./native.js";

/** A class that holds tensors where a scope cannot see them (private fields) lists them under this symbol. */
export const tensorsOf: unique symbol = Symbol.for("foehn.torch.tensorsOf");

/** Something that can list its tensors. */
export interface HoldsTensors {
  [tensorsOf](): Iterable<TensorHandle>;
}

/** Every tensor reachable from a value: tensors, arrays, objects, Map, Set, and whatever implements `[tensorsOf]`. */
export function reachableTensors(value: unknown): TensorHandle[] {
  const found: TensorHandle[] = [];
  if (typeof value !== "object" || value === null) return found;
  if (value instanceof TensorHandle) return [value];
  const seen = new Set<object>();
  const open: unknown[] = [value];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== "object" || item === null || ArrayBuffer.isView(item) || seen.has(item)) continue;
    if (item instanceof TensorHandle) {
      seen.add(item);
      found.push(item);
      continue;
    }
    seen.add(item);
    if (tensorsOf in item) for (const tensor of (item as HoldsTensors)[tensorsOf]()) open.push(tensor);
    else if (Array.isArray(item)) for (const element of item) open.push(element);
    else if (item instanceof Map) for (const [key, element] of item) open.push(key, element);
    else if (item instanceof Set) for (const element of item) open.push(element);
    else for (const element of Object.values(item)) open.push(element);
  }
  return found;
}

function close(frame: ScopeFrame, result: unknown): void {
  frame.closed = true;
  const escaping = reachableTensors(result).map((tensor) => tensor.handle);
  const moved = native.closeScope(frame.handles, frame.count, escaping);
  let parent = frame.parent;
  while (parent?.closed) parent = parent.parent;
  if (parent !== null) for (let i = 0; i < moved; i++) parent.push(frame.handles[i] as number);
  frame.recycle();
}

/**
 * Runs `fn` and frees every tensor created inside that is not reachable from what it returns.
 *
 * Scopes nest: what leaves an inner scope belongs to the outer one. Gradients, optimizer state made with {@link keep}
 * and everything created outside stay. For an asynchronous function use {@link scopeAsync}.
 */
export function scope<T>(fn: () => T): T {
  const frame = new ScopeFrame(currentScope());
  const before = setCurrentScope(frame);
  let result: T;
  try {
    result = fn();
  } catch (error) {
    setCurrentScope(before);
    close(frame, undefined);
    throw error;
  }
  setCurrentScope(before);
  if (isThenable(result)) {
    // Its tensors are still in use; letting them live is the only safe thing, and the error says what to do.
    throw new TorchError("torch.scope was given an asynchronous function; use torch.scopeAsync", {
      code: "ERR_TORCH_ARGUMENT",
    });
  }
  close(frame, result);
  return result;
}

/** As {@link scope}, for an asynchronous function. Flows that run side by side each have their own scope. */
export async function scopeAsync<T>(fn: () => Promise<T>): Promise<T> {
  const frame = new ScopeFrame(currentScope());
  let result: T;
  try {
    result = await runInAsyncScope(frame, fn);
  } catch (error) {
    close(frame, undefined);
    throw error;
  }
  close(frame, result);
  return result;
}

/** Takes tensors out of all open scopes: they live until disposed (or until nothing refers to them). Returns its argument. */
export function keep<T>(value: T): T {
  for (const tensor of reachableTensors(value)) native.keep(tensor.handle);
  return value;
}

/** Disposes every tensor reachable from a value. Those already disposed are passed over. */
export function dispose(value: unknown): void {
  for (const tensor of reachableTensors(value)) native.release(tensor.handle);
}

/** A second, independent handle to the same tensor, for a class derived from Tensor: it lives until disposed. */
export function shareHandle(tensor: TensorHandle): number {
  const handle = native.share(tensor.handle);
  native.keep(handle);
  return handle;
}

export function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
