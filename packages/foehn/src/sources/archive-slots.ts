// Which runs and steps a spec of an operational archive means, checked against what such an archive can have: runs every six hours,
// steps of whole hours. Shared by GFS and ECMWF.

import { UsageError } from "../core/errors.js";
import { formatTime, parseDuration } from "../core/time.js";
import type { ArchiveSlot } from "./archive-layout.js";
import { parseSteps, parseTimes } from "./source-spec.js";

const hour = 3600;
const cycle = 6 * hour;

/** What a user may choose. */
export interface RunsAndSteps {
  /** Runs, epoch seconds. */
  readonly runs?: readonly number[] | undefined;
  /** Forecast steps in seconds. */
  readonly steps?: readonly number[] | undefined;
  /** Times whose analysis is wanted. */
  readonly times?: readonly number[] | undefined;
  /** The only run to take of those, epoch seconds. */
  readonly run?: number | undefined;
  /**
   * When a run is not there, or a time lies between runs: take the nearest earlier run whose step to the same time is at most this,
   * seconds. Default: never.
   */
  readonly fallback?: number | undefined;
}

/** What the keys `date`, `steps`, `times` and `fallback` of a spec say. @throws UsageError */
export function runsAndSteps(given: ReadonlyMap<string, string>, run: number | undefined): RunsAndSteps {
  const parsed = <T>(key: string, parse: (text: string) => T): T | undefined => {
    const text = given.get(key);
    return text === undefined ? undefined : parse(text);
  };
  return {
    runs: parsed("date", parseTimes),
    steps: parsed("steps", parseSteps),
    times: parsed("times", parseTimes),
    fallback: parsed("fallback", parseDuration),
    run,
  };
}

/**
 * Runs and steps of a choice; the analyses of the last `days` days when nothing is chosen.
 * @param scheme `gfs:`, for errors
 * @param delay seconds after which a run can be expected to be there
 * @throws UsageError for a time that is no run, a step that is no hour, or a choice that contradicts itself
 */
export function archiveSlots(
  { runs, steps, times, run, fallback }: RunsAndSteps,
  scheme: string,
  days: number,
  delay: number,
  now = Date.now(),
): ArchiveSlot[] {
  if (runs && times) throw new UsageError("give date with steps, or times, not both", { where: scheme });
  if (!runs && steps) {
    throw new UsageError("steps belong to date", { where: scheme, hint: `write ${scheme}date=2024-01-01T00,steps=…` });
  }
  const wrong = (runs ?? times ?? []).find((time) => time % cycle !== 0);
  if (wrong !== undefined && (runs || fallback === undefined)) {
    throw new UsageError(`there is no run at ${formatTime(wrong)}; runs are at 00, 06, 12 and 18 UTC`, {
      where: scheme,
      hint: times ? "fallback=6h takes the forecast of the run before" : "write date=…T00 with steps=…",
    });
  }
  const odd = (steps ?? []).find((step) => step % hour !== 0);
  if (odd !== undefined) throw new UsageError(`there is no step of ${odd} s; steps are hours`, { where: scheme });
  const slots = runs
    ? runs.flatMap((start) => (steps ?? [0]).map((step) => ({ run: start, step })))
    : (times ?? lastDays(days, delay, now)).map((time) => ({ run: time, step: 0 }));
  const own = run === undefined ? slots : slots.filter((slot) => slot.run === run);
  if (own.length > 0) return own;
  throw new UsageError(`the run ${formatTime(run!)} is not one of those chosen`, { where: scheme });
}

function lastDays(days: number, delay: number, now: number): number[] {
  const last = Math.floor((now / 1000 - delay) / cycle) * cycle;
  const count = (days * 24 * hour) / cycle;
  return Array.from({ length: count }, (_, i) => last - (count - 1 - i) * cycle);
}
