// Helpers of the diagnostics that are formulas: their variables from the catalogue, channels of a tensor.

import type { Tensor } from "@foehn/torch";
import { lookupVariable } from "../../variables/catalogue.js";
import type { OutputVariable } from "../outputs/output.js";
import type { DiagnosticInput } from "./diagnostic.js";

/** A level as names carry it: `850` (hPa), `10m`, `2m`. */
export type Level = number | string;

/** An input in the catalogue's units. */
export function input(name: string): DiagnosticInput {
  return { name, units: lookupVariable(name)?.units };
}

/** An output as the catalogue describes it, or as is said here. */
export function output(name: string, units: string, longName: string): OutputVariable {
  const known = lookupVariable(name);
  if (!known) return { name, units, longName };
  return { name, units, longName: known.longName, standardName: known.standardName };
}

/** Every `count`-th channel from `first`: what belongs to one of several interleaved inputs. A view. */
export function everyOther(x: Tensor, first: number, count: number): Tensor {
  return x.slice({ dim: 1, start: first, step: count });
}

/** For people: `850 hPa`, `10m`. */
export const levelText = (level: Level): string => (/^\d+$/.test(String(level)) ? `${level} hPa` : String(level));
