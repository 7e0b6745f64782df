// The hook through which a trace sees operator calls. It stands below operators.ts and tensor.ts, which ask it at every call, so it
// imports nothing of them; the recorder itself is record.ts.
import type { TensorHandle } from "../handles.js";
import type { Overload } from "../schema.js";

/** What sees every operator call while it is set. */
export interface Recorder {
  /** After a call: arguments in schema order, and what it gave back. */
  called(overload: Overload, args: readonly unknown[], result: unknown): void;
  /** Before the values of a tensor leave libtorch. */
  read(tensor: TensorHandle, method: string): void;
}

/** The recorder of the running trace, or null. */
export let recorder: Recorder | null = null;

/** Runs `fn` with a recorder; traces do not nest. */
export function withRecorder<T>(active: Recorder, fn: () => T): T {
  const before = recorder;
  recorder = active;
  try {
    return fn();
  } finally {
    recorder = before;
  }
}
