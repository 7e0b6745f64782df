// The guide docs/guides/your-data.md: its example is the file beside this one, its configuration is accepted, its commands exist and run
// on a small folder of NetCDF.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listDatasets, openDataset, registerDataset } from "foehn";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runHere } from "../../packages/foehn/src/cli/process.test-support.js";
import { parseConfigText } from "../../packages/foehn/src/core/config.js";
import { griddedSchema } from "../../packages/foehn/src/datasets/gridded.js";
import { writeFields } from "../../packages/foehn/src/datasets/loading/fields.test-support.js";
import { NetcdfWriter } from "../../packages/foehn/src/io/netcdf/write.js";
import { csvSource } from "./csv-grids.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const guide = readFileSync(here("../../docs/guides/your-data.md"), "utf8");
const example = readFileSync(here("csv-grids.ts"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "foehn-your-data-"));
const home = process.cwd();
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1]!);

afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

describe("a dataset in forty lines", () => {
  it("is the file that the guide shows, and no longer", () => {
    expect(blocks("ts")[0]).toBe(example);
    expect(example.trim().split("\n").length).toBeLessThanOrEqual(40);
  });

  it("opens by its name, with the values of its files", async () => {
    const data = join(folder, "csv");
    mkdirSync(data);
    for (let hour = 0; hour < 20; hour++) {
      const rows = Array.from({ length: 8 }, (_, i) =>
        Array.from({ length: 12 }, (_v, j) => 270 + hour + i + j / 100).join(","),
      );
      writeFileSync(join(data, `20240106${String(hour).padStart(2, "0")}.csv`), rows.join("\n"));
    }
    const splits = await openDataset("csv-grids", {
      numInputSteps: 2,
      numPredStepsTrain: 1,
      numPredStepsValTest: 1,
      overrides: { source: data },
    });
    expect([splits.train.length, splits.info.forcingNames.length]).toEqual([12, 5]);
    const item = await splits.train.item(4);
    const { mean, std } = splits.info.stats.t2m!;
    const last = item.outputs.tensor.select(0, 0).contiguous().toTypedArray() as Float32Array;
    expect(last[3 * 12 + 5]! * std + mean).toBeCloseTo(270 + 6 + 3 + 0.05, 3);
    await splits.close();
    expect((await csvSource(data)).times).toHaveLength(20);
  });

  it("cannot take a name that is taken, or is none", () => {
    expect(listDatasets().map((d) => d.name)).toContain("csv-grids");
    const entry = { summary: "another", open: () => Promise.reject(new Error("not opened")) };
    expect(() => registerDataset({ ...entry, name: "titan" })).toThrow(/two datasets are called "titan"/);
    expect(() => registerDataset({ ...entry, name: "My data" })).toThrow(/"My data" cannot name a dataset/);
  });
});

describe("a folder of files", () => {
  beforeAll(async () => {
    mkdirSync(join(folder, "data"));
    const writer = await NetcdfWriter.create(join(folder, "data", "a.nc"));
    const hours = Array.from({ length: 40 }, (_, h) => h);
    const value = (name: string, hour: number, point: number) => name.length + 280 + Math.sin(hour / 4 + point);
    await writeFields(writer, { names: ["t2m", "sst"], hours, shape: [8, 9], value });
    await writer.close();
    writeFileSync(join(folder, "dataset.yaml"), "source: data\nvariables:\n  t2m: {}\n  sst: { role: forcing }\n");
  });

  it("has a configuration that the schema accepts", () => {
    const { value } = parseConfigText(blocks("yaml")[0]!, "yaml", "dataset.yaml");
    expect(griddedSchema.safeParse(value).error?.issues).toBeUndefined();
  });

  it("goes through the guide's commands on data", async () => {
    process.chdir(folder);
    const lines = blocks("sh").flatMap((block) => block.split("\n"));
    const commands = lines.filter((line) => line.startsWith("npx foehn dataset ") && line.includes("gridded"));
    expect(commands).toHaveLength(6);
    for (const command of commands) {
      const { status, stderr } = await runHere(...command.split(/\s+/).slice(2), "-q");
      expect(status, `${command}\n${stderr}`).toBe(0);
    }
    for (const file of ["sample.png", "statistics.json", "fields/fields.json"])
      expect(existsSync(file), file).toBe(true);
  });
});
