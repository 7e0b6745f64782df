// The report of a run: one HTML file with everything inside (figures as data URIs, style inline), to mail, archive or print.
// It makes no request, which its content security policy enforces. All text from outside is escaped.
import { atomicWrite } from "../core/files.js";
import type { Figure } from "./figure.js";
import { findings, scoreTables } from "./report-scores.js";
import { reportStyle } from "./report-style.js";
import type { ScoreTableData } from "./scores.js";
import { escapeXml } from "./svg.js";
import { formatNumber } from "./ticks.js";
import type { TrainingRecord } from "./training-curve.js";

/** Names and values shown as a table; nested objects are written as `a.b`, lists with commas. */
export type Facts = Readonly<Record<string, unknown>>;

/** A figure with the words around it: SVG, or the bytes of a GIF or PNG file. */
export interface ReportFigure {
  readonly title: string;
  readonly caption?: string | undefined;
  readonly figure: Figure | Uint8Array;
}

export interface Report {
  readonly title: string;
  readonly subtitle?: string | undefined;
  /** Plain sentences to show first, after those about the scores. */
  readonly summary?: readonly string[] | undefined;
  /** What was trained: model, number of parameters, strategy, device, duration … */
  readonly run?: Facts | undefined;
  /** On what: dataset, variables, grid, periods … */
  readonly data?: Facts | undefined;
  /** Name, path, hash of the package that came out. */
  readonly package?: Facts | undefined;
  /** Resolved settings of the run. */
  readonly settings?: Facts | undefined;
  /** Lines of `metrics.jsonl`; the epochs become a table. */
  readonly history?: readonly TrainingRecord[] | undefined;
  readonly scores?: ScoreTableData | undefined;
  /** Units by variable instead of those in the score table. */
  readonly units?: Readonly<Record<string, string>> | undefined;
  readonly figures?: readonly ReportFigure[] | undefined;
  /** Commands that do it again, in order. */
  readonly commands?: readonly string[] | undefined;
  /** Versions, commit, machine, time. */
  readonly provenance?: Facts | undefined;
}

/** Writes the report, under its final name only when complete. Parts that are not given are left out. */
export async function writeReport(path: string, report: Report): Promise<void> {
  await atomicWrite(path, renderReport(report));
}

/** The report as HTML text. */
export function renderReport(report: Report): string {
  const units = report.units ?? report.scores?.units ?? {};
  const sentences = [...(report.scores ? findings(report.scores, units) : []), ...(report.summary ?? [])];
  const sections = sectionsOf(report, units).filter((section) => section.body !== "");
  const links = sections.map((s) => `<a href="#${s.id}">${s.title}</a>`).join("\n");
  const subtitle = report.subtitle === undefined ? "" : `<p class="subtitle">${escapeXml(report.subtitle)}</p>`;
  const box =
    sentences.length === 0
      ? ""
      : `<div class="findings">${sentences.map((s) => `<p>${escapeXml(s)}</p>`).join("\n")}</div>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${escapeXml(report.title)}</title>
<style>${reportStyle}</style>
</head>
<body>
<main>
<header>
<h1>${escapeXml(report.title)}</h1>
${subtitle}
</header>
${box}
${sections.length > 2 ? `<nav aria-label="Contents">${links}</nav>` : ""}
${sections.map((s) => `<section id="${s.id}">\n<h2>${s.title}</h2>\n${s.body}\n</section>`).join("\n")}
<footer>Written by Foehn.</footer>
</main>
</body>
</html>
`;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: string;
}

function sectionsOf(report: Report, units: Readonly<Record<string, string>>): Section[] {
  return [
    { id: "scores", title: "Scores", body: report.scores ? scoreTables(report.scores, units) : "" },
    { id: "figures", title: "Figures", body: (report.figures ?? []).map(figureHtml).join("\n") },
    { id: "run", title: "What was trained", body: facts(report.run) },
    { id: "data", title: "On what", body: facts(report.data) },
    { id: "training", title: "Training by epoch", body: epochTable(report.history ?? []) },
    { id: "package", title: "Package", body: facts(report.package) },
    { id: "reproduce", title: "How to reproduce", body: commandsHtml(report.commands ?? []) },
    { id: "settings", title: "Settings", body: folded(facts(report.settings), "All settings") },
    { id: "provenance", title: "Provenance", body: facts(report.provenance) },
  ];
}

function figureHtml({ title, caption, figure }: ReportFigure): string {
  const words = caption === undefined ? "" : `<figcaption>${escapeXml(caption)}</figcaption>`;
  return `<figure><h3>${escapeXml(title)}</h3><img src="${dataUri(figure)}" alt="${escapeXml(caption ?? title)}">${words}</figure>`;
}

function dataUri(figure: Figure | Uint8Array): string {
  if (!(figure instanceof Uint8Array)) return `data:image/svg+xml;base64,${Buffer.from(figure.svg).toString("base64")}`;
  const kind = figure[0] === 0x47 ? "gif" : "png";
  return `data:image/${kind};base64,${Buffer.from(figure).toString("base64")}`;
}

function facts(values: Facts | undefined): string {
  const rows = Object.entries(values ?? {}).flatMap(([name, value]) => factRows(name, value));
  if (rows.length === 0) return "";
  return `<table class="facts"><tbody>${rows.map(([name, value]) => `<tr><th scope="row">${escapeXml(name)}</th><td>${escapeXml(value)}</td></tr>`).join("\n")}</tbody></table>`;
}

function factRows(name: string, value: unknown): [string, string][] {
  if (value === undefined) return [];
  if (value === null) return [[name, "none"]];
  if (Array.isArray(value))
    return [[name, value.map((v) => (typeof v === "object" ? JSON.stringify(v) : String(v))).join(", ")]];
  if (typeof value === "object")
    return Object.entries(value).flatMap(([key, inner]) => factRows(`${name}.${key}`, inner));
  return [[name, String(value)]];
}

function folded(body: string, summary: string): string {
  return body === "" ? "" : `<details><summary>${escapeXml(summary)}</summary>${body}</details>`;
}

function commandsHtml(commands: readonly string[]): string {
  return commands.length === 0 ? "" : `<pre><code>${commands.map(escapeXml).join("\n")}</code></pre>`;
}

function epochTable(history: readonly TrainingRecord[]): string {
  const epochs = history.filter((record) => record.kind === "epoch");
  if (epochs.length === 0) return "";
  const losses = epochs.map((record) => record.val_loss ?? Number.POSITIVE_INFINITY);
  const best = losses.indexOf(losses.reduce((a, b) => Math.min(a, b)));
  const rows = epochs.map((record, i) => {
    const marker = i === best && Number.isFinite(losses[i]!) ? ' <span class="better">lowest</span>' : "";
    const seconds = record.seconds === undefined ? "–" : formatNumber(record.seconds, 3);
    return `<tr><th scope="row">${record.epoch}</th><td>${record.step}</td><td>${loss(record.train_loss)}</td><td>${loss(record.val_loss)}${marker}</td><td>${seconds}</td></tr>`;
  });
  const table = `<div class="scroll"><table><thead><tr><th scope="col" class="name">Epoch</th><th scope="col">Steps</th><th scope="col">Training loss</th><th scope="col">Validation loss</th><th scope="col">Seconds</th></tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
  return epochs.length <= 12 ? table : folded(table, `${epochs.length} epochs`);
}

function loss(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : formatNumber(value, 4);
}
