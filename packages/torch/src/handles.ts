// The life of tensor handles on this side. Every new tensor passes `adopt`: it gets its object, joins the open scope, and
// waits in a short list. When the list is full (or the event loop turns), what is still alive gets a weak reference, and
// the memory is reported to V8: once per batch, because each such call costs as much as a small operator.
import { AsyncLocalStorage } from "node:async_hooks";
import { counters, LIVE_BYTES, native, PENDING_BYTES } from "./native.js";

/** What a Tensor is below its methods: a number that the native half knows. */
export class TensorHandle {
  /** @internal */
  readonly handle: number;

  /** @internal Tensors are made by functions of this package, not by `new`. */
  constructor(handle: number) {
    this.handle = handle;
  }
}

const EMPTY = new Float64Array(0);
const spare: Float64Array[] = [];

/** The handles made while a scope is open. */
export class ScopeFrame {
  handles = spare.pop() ?? new Float64Array(256);
  count = 0;
  closed = false;
  #compactAt = 4096;

  constructor(readonly parent: ScopeFrame | null) {}

  push(handle: number): void {
    if (this.count === this.handles.length) this.#grow();
    this.handles[this.count++] = handle;
  }

  /** Gives the memory to the next scope. */
  recycle(): void {
    if (this.handles.length <= 65_536 && spare.length < 16) spare.push(this.handles);
    this.handles = EMPTY;
    this.count = 0;
  }

  #grow(): void {
    if (this.count >= this.#compactAt) {
      this.count = native.compact(this.handles, this.count);
      this.#compactAt = Math.max(4096, 2 * this.count);
    }
    if (2 * this.count <= this.handles.length) return;
    const larger = new Float64Array(this.handles.length * 2);
    larger.set(this.handles);
    this.handles = larger;
  }
}

const BATCH = 512;
const BATCH_BYTES = 64 * 2 ** 20;
const SWEEP_STEP = 256 * 2 ** 20;

let tensorClass: new (handle: number) => TensorHandle = TensorHandle;
let current: ScopeFrame | null = null;
let asyncScopes = 0;
const ambient = new AsyncLocalStorage<ScopeFrame>();

let waiting: TensorHandle[] = new Array<TensorHandle>(BATCH);
const waitingHandles = new Float64Array(BATCH);
let waitingCount = 0;
let flushScheduled = false;
let sweepAt = SWEEP_STEP;

/** The Tensor class announces itself (it builds on this file, so this file cannot import it). */
export function setTensorClass(made: new (handle: number) => TensorHandle): void {
  tensorClass = made;
}

/** The innermost open scope of this call, or of this asynchronous flow. */
export function currentScope(): ScopeFrame | null {
  if (current !== null || asyncScopes === 0) return current;
  let frame: ScopeFrame | null = ambient.getStore() ?? null;
  while (frame?.closed) frame = frame.parent;
  return frame;
}

export function setCurrentScope(frame: ScopeFrame | null): ScopeFrame | null {
  const before = current;
  current = frame;
  return before;
}

/** Runs `fn` with `frame` as the scope of its whole asynchronous flow. */
export async function runInAsyncScope<T>(frame: ScopeFrame, fn: () => Promise<T>): Promise<T> {
  asyncScopes++;
  const before = setCurrentScope(null);
  let started: Promise<T>;
  try {
    started = ambient.run(frame, fn);
  } finally {
    setCurrentScope(before);
  }
  try {
    return await started;
  } finally {
    asyncScopes--;
  }
}

/** Takes a handle that the native half has just made into care. */
export function track(tensor: TensorHandle): void {
  const scope = currentScope();
  if (scope !== null) scope.push(tensor.handle);
  waiting[waitingCount] = tensor;
  waitingHandles[waitingCount++] = tensor.handle;
  if (!flushScheduled) {
    flushScheduled = true;
    setImmediate(scheduledFlush);
  }
  if (waitingCount === BATCH || (counters[PENDING_BYTES] as number) > BATCH_BYTES) flush();
}

/** The Tensor of a new handle. */
export function adopt(handle: number): TensorHandle {
  const tensor = new tensorClass(handle);
  track(tensor);
  return tensor;
}

function scheduledFlush(): void {
  flushScheduled = false;
  flush();
}

/** Gives the tensors that are still alive their weak references, and reports memory to V8. */
export function flush(): void {
  const objects = waiting;
  const count = waitingCount;
  waiting = new Array<TensorHandle>(BATCH);
  waitingCount = 0;
  native.flush(objects, waitingHandles, count);
  if ((counters[LIVE_BYTES] as number) > sweepAt) {
    native.sweep();
    sweepAt = (counters[LIVE_BYTES] as number) + SWEEP_STEP;
  } else if ((counters[LIVE_BYTES] as number) + 2 * SWEEP_STEP < sweepAt) {
    sweepAt = (counters[LIVE_BYTES] as number) + SWEEP_STEP;
  }
}
