// A dataset of your own: a text file for each hour, `2024010106.csv`, with one line of temperatures per row, north to south.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Field, openSourceDataset, parseTime, registerDataset, regularGrid, type Source } from "foehn";

const grid = regularGrid({ lat0: 52, dlat: 0.5, ny: 8, lon0: 4, dlon: 0.5, nx: 12 });
const timeOf = (name: string) => parseTime(name.replace(/^(.{4})(..)(..)(..).*/, "$1-$2-$3T$4:00Z"));

/** What there is, and the fields of one time. */
export async function csvSource(folder: string): Promise<Source> {
  const names = (await readdir(folder)).filter((name) => /^\d{10}\.csv$/.test(name)).sort();
  const files = new Map(names.map((name) => [timeOf(name), join(folder, name)]));
  return {
    description: `grids as text in ${folder}`,
    variables: [{ name: "t2m", units: "K", longName: "2 metre temperature" }],
    grid,
    times: [...files.keys()],
    async read({ time, variables }): Promise<Field[]> {
      const text = await readFile(files.get(time)!, "utf8");
      const values = Float32Array.from(text.trim().split(/[\s,]+/), Number);
      return variables.map((variable) => ({ variable, time, values }));
    },
    async close() {},
  };
}

registerDataset({
  name: "csv-grids",
  summary: "hourly temperatures in text files",
  async open(options) {
    const plan = {
      name: "csv-grids",
      variables: [{ name: "t2m", role: "prognostic" }],
      forcing: { date: true, insolation: true },
      statics: { borderSize: 0 },
      onNan: "fail",
    } as const;
    return openSourceDataset(await csvSource(options.overrides?.source ?? "data"), plan, options);
  },
});
