// Compares what arrived in slots with the dummy fields (sources/dummy-source.ts) that should be there, and says what is there instead.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../../core/errors.js";
import { formatTime } from "../../core/time.js";
import { dummyCode } from "../../sources/dummy-source.js";

/** What should be in a slot. */
export interface Slot {
  /** For people: `input t2m, 6h before`. */
  readonly label: string;
  /** (H, W), in the units of what is compared. */
  readonly expected: Float32Array;
  /** How far rounding may move a value. */
  readonly tolerance: number;
}

/** Names and times that a wrong field may be of: what the message looks among. */
export interface Candidates {
  readonly names: readonly string[];
  readonly times: readonly number[];
  /** From a name's value in the slot to its code: (value − mean) / std. */
  readonly stats: (name: string) => { readonly mean: number; readonly std: number };
}

/**
 * Checks one row of slots.
 * @param values (slots, H, W)
 * @returns how many slots were checked
 * @throws ModelError naming every wrong slot, and the dummy field that is in it where it is one
 */
export function requireSlots(
  values: Tensor,
  slots: readonly Slot[],
  where: string,
  candidates: Candidates,
  shape: readonly [number, number],
): number {
  const [ny, nx] = shape;
  const flat = torch.inferenceMode(() =>
    torch.scope(() =>
      values
        .to("cpu")
        .reshape([slots.length, ny * nx])
        .contiguous()
        .toTypedArray(),
    ),
  ) as Float32Array;
  const wrong: string[] = [];
  for (const [s, { label, expected, tolerance }] of slots.entries()) {
    const found = flat.subarray(s * ny * nx, (s + 1) * ny * nx);
    if (agrees(found, expected, tolerance)) continue;
    wrong.push(`${label}: ${whatIs(found, candidates, shape)}`);
  }
  if (wrong.length === 0) return slots.length;
  const shown = wrong.slice(0, 6).join("; ");
  throw new ModelError(
    `${wrong.length} of ${slots.length} slots ${where} hold the wrong field: ${shown}${wrong.length > 6 ? "; …" : ""}`,
    {
      hint: "dummy fields spell their variable and time; in a real forecast these slots would be wrong in the same way",
    },
  );
}

function agrees(found: Float32Array, expected: Float32Array, tolerance: number): boolean {
  for (let n = 0; n < found.length; n++) {
    const [a, b] = [found[n]!, expected[n]!];
    if (Number.isNaN(b) ? !Number.isNaN(a) : !(Math.abs(a - b) <= tolerance)) return false;
  }
  return true;
}

/** The dummy field that some values are, in words. */
function whatIs(found: Float32Array, { names, times, stats }: Candidates, shape: readonly [number, number]): string {
  if (found.every((value) => value === found[0] || Number.isNaN(value))) return `it is ${found[0]} everywhere`;
  for (const name of names) {
    for (const time of times) {
      const code = dummyCode(name, time, shape);
      // In standard deviations, or in physical units.
      if (agrees(found, code, 2e-3)) return `it holds ${name} of ${formatTime(time)}`;
      const { mean, std } = stats(name);
      const physical = code.map((value) => mean + std * value);
      if (agrees(found, physical, 2e-3 * std)) return `it holds ${name} of ${formatTime(time)}`;
    }
  }
  return "it holds no field of those that were read";
}
