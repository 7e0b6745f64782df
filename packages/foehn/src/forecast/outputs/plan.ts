// What makes the output of a forecast what it is, for outputs that several calls fill: two calls with the same plan write the same.

import type { WorkPlan } from "../../io/work-folder.js";
import type { FileHeader } from "./cf-layout.js";

/** Attribute of a finished file that holds the identity of its plan. */
export const identityKey = "foehn_plan";

/** Attributes that tell of a call, not of the forecast. */
const circumstances = ["history", "date_created"];

/** @param format how the file is made: sizes of chunks, compression */
export function planOf(
  header: FileHeader,
  format: Readonly<Record<string, unknown>>,
): { readonly plan: WorkPlan; readonly note: Readonly<Record<string, string>> } {
  const { variables, grid, initialTimes, members, hasMembers, leadTimes, leadBounds, pointNames, provenance } = header;
  const entries = Object.entries(provenance);
  return {
    plan: {
      variables: variables.map(({ name, units }) => `${name} (${units})`),
      latitudes: [...grid.latitudes],
      longitudes: [...grid.longitudes],
      points: grid.kind === "points" ? (pointNames ?? true) : false,
      initial_times: initialTimes,
      members: hasMembers ? members : "none",
      leads: leadTimes,
      lead_bounds: leadBounds,
      ...Object.fromEntries(entries.filter(([key]) => !circumstances.includes(key))),
      ...format,
    },
    note: Object.fromEntries(entries.filter(([key]) => circumstances.includes(key))),
  };
}
