import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MetricCsv, type MetricRow, parseMetricRows, shardCsv } from "./metric-csv.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-csv-"));
const rows = (initialTime: number): MetricRow[] => [
  { initialTime, leadHours: 24, channel: "t2m", metric: "crps", value: 0.25 },
  { initialTime, leadHours: 24, channel: "", metric: "ensemble_size", value: 3 },
  { initialTime, leadHours: 6.5, channel: "t2m", metric: "variance", value: Number.NaN },
];

describe("CSV of scores", () => {
  it("has earth2mip's lines", async () => {
    const path = shardCsv(folder, 3);
    const file = await MetricCsv.open(path, () => 3);
    await file.add(0, rows(0));
    expect(path.endsWith("003.csv")).toBe(true);
    expect(readFileSync(path, "utf8")).toBe(
      "1970-01-01T00:00:00,24.0,t2m,crps,0.25\n1970-01-01T00:00:00,24.0,,ensemble_size,3\n1970-01-01T00:00:00,6.5,t2m,variance,nan\n",
    );
    expect(parseMetricRows(readFileSync(path, "utf8"), path)).toEqual(rows(0));
  });

  it("goes on after whole cases and drops what is left of others", async () => {
    const path = join(folder, "cut.csv");
    const file = await MetricCsv.open(path, () => 3);
    await file.add(0, rows(0));
    await file.add(3600, rows(3600));
    const whole = readFileSync(path, "utf8");
    appendFileSync(path, "1970-01-01T02:00:00,24.0,t2m,crps,0.2\n1970-01-01T02:00:00,24.0,t2m,cr");
    const again = await MetricCsv.open(path, () => 3);
    expect([0, 3600, 7200].map((time) => again.has(time))).toEqual([true, true, false]);
    expect(readFileSync(path, "utf8")).toBe(whole);
  });

  it("says where a file is not one", async () => {
    const path = join(folder, "bad.csv");
    writeFileSync(path, "1970-01-01T00:00:00,24.0,t2m,crps,0.25\nhello\n");
    await expect(MetricCsv.open(path, () => 1)).rejects.toMatchObject({ where: `${path}:2` });
    expect(() => parseMetricRows("x,24.0,t2m,crps,1\n", "f")).toThrow(/not a time/);
  });
});
