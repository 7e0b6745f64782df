// What the configuration files of py4cast's datasets have in common, in both of its dialects: periods as whole numbers
// (2023010106, 20230101), kinds of parameters, windows as four indices. Used by titan.ts and smeagol.ts, which know the rest.
// Dialects: seed, `config/datasets/*.json` of early 2024; lightning, `config/CLI/dataset/*.yaml` from 2025 on.

import { z } from "zod";
import { loadConfig } from "../core/config.js";
import type { Role } from "../variables/roles.js";
import type { Period } from "./periods.js";

/** Kinds of parameters, and what they are here. */
export const kindRoles: Readonly<Record<"input" | "output" | "input_output", Role>> = {
  input: "forcing",
  output: "diagnostic",
  input_output: "prognostic",
};

/** Schema of a kind. */
export const kindSchema = z.enum(["input", "output", "input_output"]);

/** A time as a whole number or its text: year, month, day, and the hour where it has ten digits. */
const numberTime = z
  .union([z.int(), z.string()])
  .refine((value) => /^\d{8}(\d{2})?$/.test(String(value)), "expected a time such as 2023010106 or 20230101")
  .transform((value) => {
    const text = String(value);
    return {
      time: Date.UTC(+text.slice(0, 4), +text.slice(4, 6) - 1, +text.slice(6, 8), +(text.slice(8, 10) || 0)) / 1000,
      isDay: text.length === 8,
    };
  });

/** A period whose end belongs to it; an end without an hour means the whole of that day. */
const bounds = { start: numberTime, end: numberTime };
const toPeriod = ({ start, end }: { start: { time: number }; end: { time: number; isDay: boolean } }): Period => ({
  start: start.time,
  end: end.time + (end.isDay ? 86_399 : 0),
});
const inOrder = { error: "the period ends before it begins", path: ["end"] };
const ends = (p: { start: { time: number }; end: { time: number } }): boolean => p.end.time >= p.start.time;

/** A period with the hours between two samples: the seed's form. */
export const stepPeriodSchema = z
  .strictObject({ ...bounds, step: z.number().positive().describe("hours between two samples") })
  .refine(ends, inOrder)
  .transform((p) => ({ ...toPeriod(p), every: p.step * 3600 }));

/** A period with the seconds between two states, and between two samples where that is another number. */
export const observedPeriodSchema = z
  .strictObject({
    ...bounds,
    obs_step: z.coerce.number().positive().describe("seconds between two states"),
    obs_step_btw_t0: z.coerce.number().positive().optional().describe("seconds between two samples"),
  })
  .refine(ends, inOrder)
  .transform((p) => ({ ...toPeriod(p), step: p.obs_step, every: p.obs_step_btw_t0 ?? p.obs_step }));

/** A window of a grid: first and last row, first and last column, lasts not included; four zeros are the whole grid. */
export const windowSchema = z
  .tuple([z.int().nonnegative(), z.int().nonnegative(), z.int().nonnegative(), z.int().nonnegative()])
  .refine(([a, b, c, d]) => (a === 0 && b === 0 && c === 0 && d === 0) || (a < b && c < d), {
    error: "expected [first row, last row, first column, last column]",
  });

/** Which of several dialects a file is written in, by a key that only that one has; else ours. */
export function dialectOf<T extends string>(path: string, marks: Readonly<Record<T, string>>): T | "own" {
  const keys = Object.keys(loadConfig(path, z.record(z.string(), z.unknown())));
  const found = (Object.entries(marks) as [T, string][]).find(([, mark]) => keys.includes(mark));
  return found?.[0] ?? "own";
}
