// Diagnostic: fields that follow from others at the same time, such as the wind speed from its components or precipitation from a network.
// The contract of what withDiagnostics (with-diagnostics.ts) appends to a forecast. Not here: the diagnostic variables that a model
// itself gives (datasets/features.ts).

import type { Tensor } from "@foehn/torch";
import type { OutputVariable } from "../outputs/output.js";

/** A field that a diagnostic takes. */
export interface DiagnosticInput {
  readonly name: string;
  /** What the formula or the network expects; other units that convert are converted. Undefined: not known, not checked. */
  readonly units: string | undefined;
}

/** Fields from fields. Dispose it to free what it holds. */
export interface Diagnostic extends Partial<Disposable> {
  /** For people: `wind speed at 850 hPa`. */
  readonly description: string;
  readonly inChannels: readonly DiagnosticInput[];
  readonly outChannels: readonly OutputVariable[];
  /**
   * @param x (B, inChannels, Y, X), physical units; not to be written into
   * @param times valid time of every row, epoch seconds UTC
   * @returns (B, outChannels, Y, X), physical units, NaN where an input is
   */
  apply(x: Tensor, times: readonly number[]): Tensor | Promise<Tensor>;
}
