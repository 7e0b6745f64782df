// Ctrl-C. The first one asks the work to stop (through an AbortSignal, so that it can leave a resumable state); the second
// one ends the process at once. SIGTERM, which batch systems send, counts as Ctrl-C.

import { InterruptedError } from "./errors.js";

/**
 * Runs `fn` with a signal that aborts on the first Ctrl-C or SIGTERM. Afterwards the process's own handling is back.
 * @throws InterruptedError when it was interrupted, unless `fn` throws another Foehn error or finishes normally
 */
export async function withInterrupt<T>(fn: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write("\nstopping: finishing the current step (Ctrl-C again to stop at once)\n");
    controller.abort(new InterruptedError("interrupted"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    return await fn(controller.signal);
  } catch (err) {
    // AbortError from Node's own functions becomes ours, so that every interrupted command ends the same way.
    if (controller.signal.aborted && err instanceof Error && err.name === "AbortError") {
      throw new InterruptedError("interrupted", { cause: err });
    }
    throw err;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

/**
 * Throws when the signal was aborted: long loops call this between steps.
 * @throws InterruptedError
 */
export function throwIfInterrupted(signal: AbortSignal | undefined, what = "the work"): void {
  if (!signal?.aborted) return;
  if (signal.reason instanceof InterruptedError) throw signal.reason;
  throw new InterruptedError(`${what} was interrupted`, { cause: signal.reason });
}
