// Leads as they are scored: one by one, or in windows whose mean is taken first (two weeks for sub-seasonal forecasts). A window holds the
// leads from its begin up to, not including, its end; windows that the forecast does not fill are left out.

import { UsageError } from "../../core/errors.js";
import { formatDuration } from "../../core/time.js";

/** Leads that make one field. */
export interface LeadWindow {
  /** Begin of the window, seconds: what its mean is called in files. */
  readonly lead: number;
  /** Leads in it, seconds. */
  readonly leads: readonly number[];
  /** Begin and end, where it is a mean. */
  readonly bounds: readonly [number, number] | undefined;
}

/** @param length seconds; undefined: every lead on its own @throws UsageError when no window is filled */
export function leadWindows(leadTimes: readonly number[], length: number | undefined): LeadWindow[] {
  if (length === undefined) return leadTimes.map((lead) => ({ lead, leads: [lead], bounds: undefined }));
  const step = leadTimes.length > 1 ? leadTimes[1]! - leadTimes[0]! : length;
  // The last lead stands for the time until the next one would come.
  const end = leadTimes.at(-1)! + step;
  const windows: LeadWindow[] = [];
  for (let from = 0; from + length <= end; from += length) {
    const leads = leadTimes.filter((lead) => lead >= from && lead < from + length);
    if (leads.length > 0) windows.push({ lead: from, leads, bounds: [from, from + length] });
  }
  if (windows.length > 0) return windows;
  throw new UsageError(`forecasts of ${formatDuration(end)} do not fill a window of ${formatDuration(length)}`);
}

/** Means, point by point; NaN where any is. */
export function meanField(fields: readonly Float32Array[]): Float32Array {
  if (fields.length === 1) return fields[0]!;
  const sum = new Float64Array(fields[0]!.length);
  for (const field of fields) for (let i = 0; i < sum.length; i++) sum[i]! += field[i]!;
  return Float32Array.from(sum, (value) => value / fields.length);
}
