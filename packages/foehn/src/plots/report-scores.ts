// The score tables of the HTML report: a short one that compares RMSE with persistence at a few leads, and all numbers below it.
import { type Metric, metricNames, type ScoreTableData } from "./scores.js";
import { escapeXml } from "./svg.js";
import { formatColumn, formatNumber, prettyUnits } from "./ticks.js";

/** Leads in the short table. */
const maxShortLeads = 6;
const order: readonly Metric[] = ["rmse", "mae", "bias", "acc"];

/** Sentences that say how the model does against persistence, in plain text. Empty without persistence or RMSE. */
export function findings(table: ScoreTableData, units: Readonly<Record<string, string>>): string[] {
  const model = table.model.rmse;
  const persistence = table.persistence?.rmse;
  if (!model || !persistence || table.lead_hours.length === 0) return [];
  let pairs = 0;
  let wins = 0;
  for (const variable of table.variables) {
    table.lead_hours.forEach((_, i) => {
      const [ours, theirs] = [model[variable]?.[i], persistence[variable]?.[i]];
      if (!isNumber(ours) || !isNumber(theirs)) return;
      pairs++;
      if (ours < theirs) wins++;
    });
  }
  if (pairs === 0) return [];
  const what = table.variables.length === 1 ? "lead times" : "pairs of variable and lead time";
  const sentences = [
    wins === pairs
      ? `The model has a lower RMSE than persistence at all ${pairs} ${what}.`
      : `The model has a lower RMSE than persistence at ${wins} of ${pairs} ${what}.`,
  ];
  const last = table.lead_hours.length - 1;
  for (const variable of table.variables.slice(0, 3)) {
    const [ours, theirs] = [model[variable]?.[last], persistence[variable]?.[last]];
    if (!isNumber(ours) || !isNumber(theirs) || theirs === 0) continue;
    const percent = Math.round(100 * Math.abs(ours / theirs - 1));
    const unit = prettyUnits(units[variable] ?? "");
    const comparison = percent === 0 ? "the same as" : `${percent} % ${ours < theirs ? "below" : "above"}`;
    sentences.push(
      `${variable} at +${table.lead_hours[last]} h: RMSE ${formatNumber(ours)}${unit && ` ${unit}`}, ${comparison} persistence (${formatNumber(theirs)}).`,
    );
  }
  return sentences;
}

/** HTML of the section's body. */
export function scoreTables(table: ScoreTableData, units: Readonly<Record<string, string>>): string {
  const few = table.variables.length * table.lead_hours.length <= 48;
  const dates = table.n_dates === undefined ? "" : ` over ${table.n_dates} forecast${table.n_dates === 1 ? "" : "s"}`;
  return `<p>RMSE${dates}; in brackets the change against persistence.</p>
${shortTable(table, units)}
<details${few ? " open" : ""}><summary>All scores</summary>
${table.variables.map((variable) => fullTable(table, variable, units[variable] ?? "")).join("\n")}
</details>`;
}

function shortTable(table: ScoreTableData, units: Readonly<Record<string, string>>): string {
  const picks = pickLeads(table.lead_hours.length);
  const head = picks.map((i) => `<th scope="col">+${table.lead_hours[i]} h</th>`).join("");
  const rows = table.variables.map((variable) => {
    const ours = table.model.rmse?.[variable];
    const texts = formatColumn(columnValues(table, ours), 4);
    const cells = picks.map(
      (i) => `<td>${texts[i]}${change(ours?.[i], table.persistence?.rmse?.[variable]?.[i])}</td>`,
    );
    return `<tr><th scope="row">${label(variable, units[variable] ?? "")}</th>${cells.join("")}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr><th scope="col" class="name">RMSE</th>${head}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

/** Evenly spread leads, first and last among them. */
function pickLeads(count: number): number[] {
  if (count <= maxShortLeads) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: maxShortLeads }, (_, i) => Math.round((i * (count - 1)) / (maxShortLeads - 1)));
}

function fullTable(table: ScoreTableData, variable: string, units: string): string {
  const metrics = order.filter((metric) => table.model[metric]?.[variable]);
  const compared = table.persistence !== undefined;
  const groups = metrics
    .map((metric) => `<th scope="colgroup" colspan="${compared ? 2 : 1}">${metricNames[metric]}</th>`)
    .join("");
  const columns = metrics
    .map(() => `<th scope="col">model</th>${compared ? '<th scope="col">persistence</th>' : ""}`)
    .join("");
  const texts = metrics.flatMap((metric) => {
    const count = table.lead_hours.length;
    const ours = columnValues(table, table.model[metric]?.[variable]);
    const theirs = compared ? columnValues(table, table.persistence?.[metric]?.[variable]) : [];
    // Numbers that stand side by side have the same decimals.
    const both = formatColumn([...ours, ...theirs], 4);
    return compared ? [both.slice(0, count), both.slice(count)] : [both];
  });
  const rows = table.lead_hours.map((lead, i) => {
    const cells = texts.map((column) => `<td>${column[i]}</td>`).join("");
    return `<tr><th scope="row">+${lead} h</th>${cells}</tr>`;
  });
  return `<h3>${label(variable, units)}</h3>
<div class="scroll"><table><thead><tr><th rowspan="2" scope="col" class="name">Lead</th>${groups}</tr><tr>${columns}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

function label(variable: string, units: string): string {
  const pretty = prettyUnits(units);
  return escapeXml(pretty === "" ? variable : `${variable} (${pretty})`);
}

function columnValues(table: ScoreTableData, values: readonly (number | null)[] | undefined): number[] {
  return table.lead_hours.map((_, i) => values?.[i] ?? Number.NaN);
}

function change(ours: number | null | undefined, theirs: number | null | undefined): string {
  if (!isNumber(ours) || !isNumber(theirs) || theirs === 0) return "";
  const percent = Math.round(100 * (ours / theirs - 1));
  const sign = percent > 0 ? "+" : percent < 0 ? "−" : "±";
  return ` <span class="${ours < theirs ? "better" : "worse"}">(${sign}${Math.abs(percent)} %)</span>`;
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
