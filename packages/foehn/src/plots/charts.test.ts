// Charts and the report: golden files, odd inputs, and what the report must never do.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JSDOM } from "jsdom";
import { describe, expect, it } from "vitest";
import { expectGolden } from "./golden.test-support.js";
import { type Report, renderReport, writeReport } from "./report.js";
import { findings } from "./report-scores.js";
import { drawScoreCard } from "./score-card.js";
import { drawScoreByLead, type ScoreTableData } from "./scores.js";
import { drawTrainingCurve, type TrainingRecord } from "./training-curve.js";

function table(variables: readonly string[], leads: readonly number[]): ScoreTableData {
  const metric = (f: (lead: number, v: number) => number) =>
    Object.fromEntries(variables.map((name, v) => [name, leads.map((lead) => f(lead, v))]));
  const set = (k: number) => ({
    rmse: metric((lead, v) => (k * (v + 1) * lead) / 10),
    mae: metric((lead, v) => (k * (v + 1) * lead) / 12),
    bias: metric((lead, v) => (k * (v - 1) * lead) / 50),
    acc: metric((lead) => 1 / (1 + (k * lead) / 100)),
  });
  return { variables, lead_hours: leads, n_dates: 48, model: set(0.75), persistence: set(1) };
}

const hours = (count: number, step: number) => Array.from({ length: count }, (_, i) => step * (i + 1));
const twenty = Array.from({ length: 20 }, (_, i) => `z${50 * (i + 1)}`);

function history(epochs: number, stepsPerEpoch: number): TrainingRecord[] {
  const records: TrainingRecord[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    for (let i = 1; i <= stepsPerEpoch; i++) {
      const step = (epoch - 1) * stepsPerEpoch + i;
      records.push({ kind: "step", epoch, step, train_loss: 2 / step, lr: 0.001 / epoch, seconds: 0.1 });
    }
    const step = epoch * stepsPerEpoch;
    records.push({
      kind: "epoch",
      epoch,
      step,
      train_loss: 2.2 / step,
      val_loss: epoch % 2 ? 2.5 / step : null,
      seconds: 3,
    });
  }
  return records;
}

/** Every number that stands in an SVG must be one. */
function expectSound(svg: string): void {
  expect(svg).not.toMatch(/NaN|Infinity|undefined|currentColor|<style|&nbsp;/);
  const parsed = new new JSDOM("").window.DOMParser().parseFromString(svg, "image/svg+xml");
  expect(parsed.querySelector("parsererror")).toBeNull();
}

describe("drawScoreByLead", () => {
  it("draws one variable and five as in the golden files", () => {
    expectGolden(
      "score-by-lead-one",
      drawScoreByLead({ ...table(["t2m"], hours(12, 1)), units: { t2m: "K" } }, { modelName: "halfunet" }).svg,
    );
    expectGolden(
      "score-by-lead-five",
      drawScoreByLead(table(["h", "u", "v", "q", "t"], hours(10, 24)), { metric: "acc" }).svg,
    );
  });

  it("starts RMSE axes at zero", () => {
    const svg = drawScoreByLead(table(["t2m"], hours(4, 6))).svg;
    expect(texts(svg)).toContain("0.0");
  });

  it("is sound for any metric, one lead, many variables, gaps and no persistence", () => {
    for (const metric of ["rmse", "mae", "bias", "acc"] as const) {
      expectSound(drawScoreByLead(table(twenty, hours(40, 6)), { metric }).svg);
      expectSound(drawScoreByLead(table(["t2m"], [6]), { metric }).svg);
    }
    const { persistence, ...alone } = table(["a", "b"], hours(3, 6));
    expect(persistence).toBeDefined();
    expect(drawScoreByLead(alone).svg).not.toContain("persistence");
    const gaps = { ...alone, model: { rmse: { a: [1, Number.NaN, 3], b: JSON.parse("[null,null,null]") } } };
    expectSound(drawScoreByLead(gaps).svg);
    expectSound(drawScoreByLead({ ...alone, model: { rmse: { a: [0, 0, 0], b: [0, 0, 0] } } }).svg);
    expect(() => drawScoreByLead({ variables: ["a"], lead_hours: [1], model: {} })).toThrow(/no rmse/);
  });
});

describe("drawScoreCard", () => {
  it("draws the table as in the golden file", () => {
    expectGolden(
      "score-card",
      drawScoreCard({ ...table(["h", "u", "v"], hours(6, 6)), units: { h: "m", u: "m s-1", v: "m s-1" } }).svg,
    );
  });

  it("is sound for many leads, one cell, gaps, and without persistence", () => {
    for (const metric of ["rmse", "bias", "acc"] as const) {
      expectSound(drawScoreCard(table(twenty, hours(60, 6)), { metric }).svg);
      expectSound(drawScoreCard(table(["t2m"], [6]), { metric }).svg);
      const { persistence: _, ...alone } = table(["a", "b"], hours(3, 6));
      expectSound(drawScoreCard(alone, { metric }).svg);
    }
    expectSound(
      drawScoreCard({
        variables: ["a"],
        lead_hours: [6, 12],
        model: { rmse: { a: [Number.NaN, 0] } },
        persistence: { rmse: { a: [0, 0] } },
      }).svg,
    );
  });

  it("is blue where the model is better and red where it is worse", () => {
    const data = {
      variables: ["a"],
      lead_hours: [6, 12],
      model: { rmse: { a: [1, 2] }, acc: { a: [0.9, 0.5] } },
      persistence: { rmse: { a: [2, 1] }, acc: { a: [0.5, 0.9] } },
    };
    for (const metric of ["rmse", "acc"] as const) {
      const fills = [
        ...drawScoreCard(data, { metric }).svg.matchAll(/<rect x="[^>]*fill="rgb\((\d+),(\d+),(\d+)\)"/g),
      ].map((m) => m.slice(1).map(Number));
      expect(fills).toHaveLength(2);
      expect(fills[0]![2]).toBeGreaterThan(fills[0]![0]! + 40);
      expect(fills[1]![0]).toBeGreaterThan(fills[1]![2]! + 40);
    }
  });
});

describe("drawTrainingCurve", () => {
  it("draws steps and epochs as in the golden file", () => {
    expectGolden("training-curve", drawTrainingCurve(history(5, 8), { title: "Training of halfunet" }).svg);
  });

  it("is sound for one record, none, long runs, zero and non-finite losses", () => {
    expectSound(drawTrainingCurve([]).svg);
    expect(drawTrainingCurve([]).svg).toContain("No losses were recorded");
    expectSound(drawTrainingCurve(history(1, 1)).svg);
    expectSound(drawTrainingCurve([{ kind: "epoch", epoch: 1, step: 3, train_loss: 1, val_loss: null }]).svg);
    expectSound(
      drawTrainingCurve(
        [
          { kind: "step", epoch: 1, step: 1, train_loss: 0 },
          { kind: "step", epoch: 1, step: 2, train_loss: Number.NaN },
        ],
        { log: true },
      ).svg,
    );
    const long = drawTrainingCurve(history(3, 20_000)).svg;
    expectSound(long);
    expect(long.length).toBeLessThan(200_000);
  });

  it("marks the lowest validation loss", () => {
    expect(texts(drawTrainingCurve(history(5, 8)).svg)).toContain("lowest validation loss 0.06250 at step 40");
  });
});

describe("report", () => {
  const scores = { ...table(["t2m"], hours(12, 1)), units: { t2m: "K" } };
  const evil = '<script>alert("x")</script><img src=http://example.org/a.png>';
  const report: Report = {
    title: `Half-UNet & more ${evil}`,
    subtitle: evil,
    summary: [evil],
    scores,
    run: { model: "halfunet", note: evil, nested: { a: 1, list: [1, 2] }, nothing: null },
    data: { source: evil },
    package: { name: evil },
    settings: { lr: 0.001, [evil]: evil },
    history: history(3, 4),
    figures: [
      { title: evil, caption: evil, figure: drawTrainingCurve(history(3, 4), { title: evil }) },
      { title: "gif", figure: new Uint8Array([0x47, 0x49, 0x46]) },
    ],
    commands: ["foehn train --lr 0.001", evil],
    provenance: { commit: "abc" },
  };
  const html = renderReport(report);
  const page = new JSDOM(html).window.document;

  it("runs nothing and fetches nothing", () => {
    expect(page.querySelectorAll("script, link, iframe, object, embed")).toHaveLength(0);
    expect(page.querySelector("meta[http-equiv]")?.getAttribute("content")).toContain("default-src 'none'");
    const sources = [...page.querySelectorAll("[src], [href]")].map(
      (e) => e.getAttribute("src") ?? e.getAttribute("href"),
    );
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) expect(source).toMatch(/^(data:image\/(svg\+xml|png|gif);base64,|#)/);
    expect(html).not.toMatch(/@import|url\(/);
  });

  it("shows all text as text", () => {
    expect(page.querySelector("h1")?.textContent).toBe(report.title);
    expect(page.body.textContent).toContain(evil);
    const svg = Buffer.from(page.querySelector("img")!.getAttribute("src")!.split(",")[1]!, "base64").toString();
    expectSound(svg);
    expect(svg).not.toContain("<script");
  });

  it("has every part, and links that lead to it", () => {
    const ids = [...page.querySelectorAll("nav a")].map((a) => a.getAttribute("href")!.slice(1));
    expect(ids).toEqual([
      "scores",
      "figures",
      "run",
      "data",
      "training",
      "package",
      "reproduce",
      "settings",
      "provenance",
    ]);
    for (const id of ids) expect(page.getElementById(id), id).not.toBeNull();
    expect(page.querySelector("#run")?.textContent).toContain("nested.list");
    expect(page.querySelectorAll("#training tbody tr")).toHaveLength(3);
    expect(page.querySelectorAll("#scores details tbody tr")).toHaveLength(12);
  });

  it("leaves out what is not given", () => {
    const bare = new JSDOM(renderReport({ title: "Empty" })).window.document;
    expect(bare.querySelectorAll("section")).toHaveLength(0);
    expect(bare.querySelector("nav")).toBeNull();
  });

  it("says truthfully who is better", () => {
    expect(findings(scores, { t2m: "K" })).toEqual([
      "The model has a lower RMSE than persistence at all 12 lead times.",
      "t2m at +12 h: RMSE 0.900 K, 25 % below persistence (1.20).",
    ]);
    const worse = { ...scores, model: scores.persistence!, persistence: scores.model };
    expect(findings(worse, {})).toEqual([
      "The model has a lower RMSE than persistence at 0 of 12 lead times.",
      "t2m at +12 h: RMSE 1.20, 33 % above persistence (0.900).",
    ]);
    expect(findings({ ...scores, persistence: { rmse: { t2m: [] } } }, {})).toEqual([]);
  });

  it("is written whole", async () => {
    const dir = mkdtempSync(join(tmpdir(), "foehn-report-"));
    try {
      await writeReport(join(dir, "report.html"), report);
      expect(readFileSync(join(dir, "report.html"), "utf8")).toBe(html);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((m) => m[1]!);
}
