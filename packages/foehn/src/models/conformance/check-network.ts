// The conformance suite for authors of networks: everything that training, packages and forecasts rely on, checked on one class.

import type { NetworkClass, NetworkSettings } from "../network.js";
import * as checks from "./checks.js";
import { Subject, type SubjectOptions } from "./subject.js";

/** How one check ended. */
export interface CheckOutcome {
  readonly name: string;
  readonly status: "passed" | "failed" | "not checked";
  /** What was seen, or what is wrong. May be empty. */
  readonly detail: string;
}

const suite: readonly (readonly [name: string, check: (subject: Subject) => string | Promise<string>])[] = [
  ["settings round trip", checks.settings],
  ["output shapes", checks.shapes],
  ["input left alone", checks.inputUntouched],
  ["one seed, one network", checks.seed],
  ["gradients reach every parameter", checks.gradients],
  ["evaluation repeats", checks.evaluation],
  ["training differs only where it should", checks.training],
  ["batch independence", checks.batchIndependence],
  ["state-dict round trip", checks.stateDict],
  ["bf16 agrees with fp32", checks.bf16],
  ["ONNX agrees", checks.onnx],
];

/** Options of `checkNetwork`. */
export interface CheckOptions extends SubjectOptions {
  /** Called after each check. */
  readonly onOutcome?: (outcome: CheckOutcome) => void;
  /** Aborting it stops before the next check. */
  readonly signal?: AbortSignal;
}

/**
 * Runs all checks; one that fails does not stop the others.
 * @throws ConfigError for settings that do not fit the schema
 */
export async function checkNetwork<S extends NetworkSettings>(
  network: NetworkClass<S>,
  { onOutcome, signal, ...options }: CheckOptions = {},
): Promise<CheckOutcome[]> {
  // The suite makes networks from settings that the class's own schema has checked.
  const subject = new Subject(network as unknown as NetworkClass, options);
  const outcomes: CheckOutcome[] = [];
  for (const [name, check] of suite) {
    signal?.throwIfAborted();
    const outcome = { name, ...(await run(check, subject)) };
    outcomes.push(outcome);
    onOutcome?.(outcome);
    await new Promise(setImmediate);
  }
  return outcomes;
}

async function run(
  check: (subject: Subject) => string | Promise<string>,
  subject: Subject,
): Promise<Omit<CheckOutcome, "name">> {
  try {
    return { status: "passed", detail: await check(subject) };
  } catch (error) {
    const detail = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
    return { status: error instanceof checks.NotChecked ? "not checked" : "failed", detail };
  }
}
