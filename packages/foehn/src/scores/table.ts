// The result of scoring: what `foehn score --json` prints and the figures draw, and the same as text for people.

import { formatTime } from "../core/time.js";
import type { ScoreSums, Scores } from "./sums.js";

/** Metric → variable → one value per lead. NaN (null in JSON) where there is none. */
export interface MetricSet {
  readonly rmse: Readonly<Record<string, readonly number[]>>;
  readonly mae: Readonly<Record<string, readonly number[]>>;
  readonly bias: Readonly<Record<string, readonly number[]>>;
  readonly acc: Readonly<Record<string, readonly number[]>>;
}

/** How ACC is meant: `uncentred` (earth2mip's, the default) or `centred` (the area mean of each case taken out). */
export type AccConvention = "uncentred" | "centred";

/** Scores of a model beside persistence, by variable and lead, in the variables' units. */
export interface ScoreTable {
  readonly variables: readonly string[];
  readonly lead_hours: readonly number[];
  /** Initial times that were scored. */
  readonly n_dates: number;
  /** First and last of them, ISO 8601. */
  readonly first_date: string;
  readonly last_date: string;
  readonly acc_convention: AccConvention;
  /** What anomalies are taken from, where it is not the training climatology of the package. */
  readonly climatology?: string | undefined;
  readonly units: Readonly<Record<string, string>>;
  /** Points without truth or forecast, left out, over all variables, leads and dates. */
  readonly n_missing: number;
  readonly model: MetricSet;
  readonly persistence: MetricSet;
  /** The same for each region that was asked for. */
  readonly regions?: Readonly<Record<string, { readonly model: MetricSet; readonly persistence: MetricSet }>>;
}

/** What a table says beside its numbers. */
export interface TableOf {
  readonly variables: readonly { readonly name: string; readonly units: string }[];
  readonly leadHours: readonly number[];
  /** Epoch seconds, ascending. */
  readonly initialTimes: readonly number[];
  readonly accConvention: AccConvention;
  readonly climatology?: string | undefined;
}

/** The table of sums, the whole grid's first. */
export function scoreTable(
  [whole, ...regions]: readonly {
    readonly area: string;
    readonly model: ScoreSums;
    readonly persistence: ScoreSums;
  }[],
  { variables, leadHours, initialTimes, accConvention, climatology }: TableOf,
): ScoreTable {
  const names = variables.map((variable) => variable.name);
  const sets = (sums: { readonly model: ScoreSums; readonly persistence: ScoreSums }) => ({
    model: metricSet(sums.model, names, accConvention),
    persistence: metricSet(sums.persistence, names, accConvention),
  });
  let missing = 0;
  for (const v of names.keys()) for (const lead of leadHours.keys()) missing += whole!.model.scores(v, lead).missing;
  return {
    variables: names,
    lead_hours: leadHours,
    n_dates: initialTimes.length,
    first_date: initialTimes.length > 0 ? formatTime(initialTimes[0]!) : "",
    last_date: initialTimes.length > 0 ? formatTime(initialTimes.at(-1)!) : "",
    acc_convention: accConvention,
    ...(climatology === undefined ? {} : { climatology }),
    units: Object.fromEntries(variables.map(({ name, units }) => [name, units])),
    n_missing: missing,
    ...sets(whole!),
    ...(regions.length === 0 ? {} : { regions: Object.fromEntries(regions.map((sums) => [sums.area, sets(sums)])) }),
  };
}

/** The table of one forecaster from its sums. */
export function metricSet(sums: ScoreSums, variables: readonly string[], convention: AccConvention): MetricSet {
  const leads = Array.from({ length: sums.numLeads }, (_, lead) => lead);
  const pick = (value: (scores: Scores) => number) =>
    Object.fromEntries(variables.map((name, v) => [name, leads.map((lead) => value(sums.scores(v, lead)))]));
  return {
    rmse: pick((s) => s.rmse),
    mae: pick((s) => s.mae),
    bias: pick((s) => s.bias),
    acc: pick((s) => (convention === "centred" ? s.accCentred : s.acc)),
  };
}

/**
 * A table for a terminal: one row per variable and lead, model beside persistence, and by how much the RMSE is lower.
 * @param maxLeads at most this many leads per variable, evenly chosen with the first and the last
 */
export function formatScoreTable(table: ScoreTable, options: { readonly maxLeads?: number } = {}): string {
  const leads = chooseLeads(table.lead_hours.length, options.maxLeads ?? 12);
  const lines = formatRows(table, leads);
  const dates = `${table.n_dates} initial time${table.n_dates === 1 ? "" : "s"}, ${table.first_date} to ${table.last_date}`;
  for (const [region, sets] of Object.entries(table.regions ?? {})) {
    const { regions: _, ...rest } = table;
    lines.push("", `${region}:`, ...formatRows({ ...rest, ...sets }, leads));
  }
  const hasAcc = Object.values(table.model.acc).some((values) => values.some(Number.isFinite));
  const anomalies = `ACC ${table.acc_convention}, against ${table.climatology ?? "the training climatology"}`;
  lines.push(`${dates}; ${hasAcc ? anomalies : "no ACC, for want of a climatology (--climatology)"}`);
  if (table.n_missing > 0) lines.push(`${table.n_missing} points without truth or forecast were left out`);
  return lines.join("\n");
}

function formatRows(table: ScoreTable, leads: readonly number[]): string[] {
  const rows: string[][] = [["variable", "lead", "RMSE", "persistence", "gain", "MAE", "bias", "ACC", "persistence"]];
  for (const name of table.variables) {
    const units = table.units[name];
    for (const [row, lead] of leads.entries()) {
      const { model, persistence } = table;
      const rmse = model.rmse[name]![lead]!;
      const reference = persistence.rmse[name]![lead]!;
      rows.push([
        row === 0 ? `${name}${units ? ` (${units})` : ""}` : "",
        `+${trimNumber(table.lead_hours[lead]!)} h`,
        show(rmse),
        show(reference),
        Number.isFinite(rmse) && reference > 0 ? `${(100 * (1 - rmse / reference)).toFixed(1)} %` : "–",
        show(model.mae[name]![lead]!),
        show(model.bias[name]![lead]!),
        show(model.acc[name]![lead]!, 3),
        show(persistence.acc[name]![lead]!, 3),
      ]);
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
  return lines;
}

function chooseLeads(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)));
}

const trimNumber = (value: number): string => String(Number(value.toFixed(3)));

// Four significant digits, but never in exponents for the sizes that weather variables have.
function show(value: number, decimals?: number): string {
  if (!Number.isFinite(value)) return "–";
  if (decimals !== undefined) return value.toFixed(decimals);
  const size = Math.abs(value);
  if (size === 0) return "0";
  return size >= 1e-3 && size < 1e6
    ? value.toFixed(Math.max(0, 3 - Math.floor(Math.log10(size))))
    : value.toExponential(3);
}
