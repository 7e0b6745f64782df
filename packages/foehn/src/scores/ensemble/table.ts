// The scores of ensembles as a file and as text: scores.json, which the figures draw, and a table for a terminal.

import { readFileSync } from "node:fs";
import { z } from "zod";
import { parseConfigText, validateSettings } from "../../core/config.js";
import { toStorageError } from "../../core/files.js";
import type { EnsembleScores, EnsembleSums } from "./sums.js";

const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const perLead = z.array(number);

/** Metrics with one value for each lead. */
export const ensembleMetrics = [
  "crps",
  "crps_fair",
  "rmse",
  "rmse_control",
  "spread",
  "spread_skill",
  "spread_skill_corrected",
  "energy",
  "energy_fair",
] as const;

const ofVariable = z.looseObject({
  ...(Object.fromEntries(ensembleMetrics.map((name) => [name, perLead])) as Record<
    (typeof ensembleMetrics)[number],
    typeof perLead
  >),
  /** By lead: shares of the area, from below all members to above them. */
  rank_histogram: z.array(perLead),
  thresholds: z.array(z.number()),
  /** By lead, then by threshold. */
  brier: z.array(perLead),
});

/** Schema of scores.json. */
export const ensembleTableSchema = z.looseObject({
  variables: z.array(z.string()),
  units: z.record(z.string(), z.string()),
  regions: z.array(z.string()),
  lead_hours: z.array(z.number()),
  members: z.number(),
  n_dates: z.number(),
  n_missing: z.number(),
  /** Region, then variable. */
  scores: z.record(z.string(), z.record(z.string(), ofVariable)),
});

/** Scores of ensembles, by region and variable. */
export type EnsembleTable = z.output<typeof ensembleTableSchema>;

const read: Readonly<Record<(typeof ensembleMetrics)[number], (scores: EnsembleScores) => number>> = {
  crps: (s) => s.crps,
  crps_fair: (s) => s.crpsFair,
  rmse: (s) => s.rmse,
  rmse_control: (s) => s.rmseControl,
  spread: (s) => s.spread,
  spread_skill: (s) => s.spreadSkill,
  spread_skill_corrected: (s) => s.spreadSkillCorrected,
  energy: (s) => s.energy,
  energy_fair: (s) => s.energyFair,
};

/** The table of sums. */
export function ensembleTable(
  sums: EnsembleSums,
  about: {
    readonly leadHours: readonly number[];
    readonly units: Readonly<Record<string, string>>;
    readonly dates: number;
  },
): EnsembleTable {
  const { variables, regions, members, thresholds = {} } = sums.settings;
  let missing = 0;
  const ofOne = (r: number, v: number, name: string) => {
    const leads = about.leadHours.map((_, lead) => sums.scores(v, r, lead));
    if (r === 0) for (const scores of leads) missing += scores.missing;
    return {
      ...(Object.fromEntries(ensembleMetrics.map((metric) => [metric, leads.map(read[metric])])) as Record<
        (typeof ensembleMetrics)[number],
        number[]
      >),
      rank_histogram: leads.map((scores) => [...scores.rankHistogram]),
      thresholds: [...(thresholds[name] ?? [])],
      brier: leads.map((scores) => [...scores.brier]),
    };
  };
  const scores = Object.fromEntries(
    regions.map((region, r) => [region, Object.fromEntries(variables.map((name, v) => [name, ofOne(r, v, name)]))]),
  );
  return {
    variables: [...variables],
    units: { ...about.units },
    regions: [...regions],
    lead_hours: [...about.leadHours],
    members,
    n_dates: about.dates,
    n_missing: missing,
    scores,
  };
}

/** Reads scores.json. @throws ConfigError when it is none; StorageError */
export function readEnsembleTable(path: string): EnsembleTable {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw toStorageError(error, path);
  }
  return validateSettings(ensembleTableSchema, parseConfigText(text, "json", path).value, path);
}

/** For a terminal: a row per region, variable and lead; at most `maxLeads` leads, evenly chosen. */
export function formatEnsembleTable(table: EnsembleTable, maxLeads = 8): string {
  const rows = [["region", "variable", "lead", "CRPS", "fair", "RMSE", "control", "spread", "spread/RMSE"]];
  const count = table.lead_hours.length;
  const leads =
    count <= maxLeads
      ? [...table.lead_hours.keys()]
      : Array.from({ length: maxLeads }, (_, i) => Math.round((i * (count - 1)) / (maxLeads - 1)));
  for (const region of table.regions) {
    for (const name of table.variables) {
      const scores = table.scores[region]![name]!;
      for (const [row, lead] of leads.entries()) {
        rows.push([
          row === 0 ? region : "",
          row === 0 ? `${name} (${table.units[name] ?? ""})` : "",
          `+${Number(table.lead_hours[lead]!.toFixed(3))} h`,
          ...(["crps", "crps_fair", "rmse", "rmse_control", "spread", "spread_skill"] as const).map((m) =>
            show(scores[m][lead]!),
          ),
        ]);
      }
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
  lines.push(
    `${table.members} member${table.members === 1 ? "" : "s"}, ${table.n_dates} initial time${table.n_dates === 1 ? "" : "s"}`,
  );
  if (table.n_missing > 0) lines.push(`${table.n_missing} points without truth or a member were left out`);
  return lines.join("\n");
}

function show(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  return size >= 1e-3 && size < 1e6
    ? value.toFixed(Math.max(0, 3 - Math.floor(Math.log10(size))))
    : value.toExponential(3);
}
