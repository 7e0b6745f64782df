// foehn dataset: the datasets that --dataset can name, and a look into data files.

import { formatDuration, formatTime, formatTimeShort } from "../../core/time.js";
import { openData } from "../data.js";
import { type Console, table } from "../io.js";
import type { DefineVerb } from "../verb.js";

/** foehn dataset list | inspect */
export const define: DefineVerb = (command, run) => {
  command.usage("list | inspect <path...>");
  command
    .command("list")
    .description("List the datasets that --dataset can name.")
    .action(
      run(async (console) => {
        const { listDatasets } = await import("../../datasets/registry.js");
        const list = listDatasets().map(({ name, summary }) => ({ name, summary }));
        console.result(list, table(list.map((d) => [d.name, d.summary])));
      }),
    );
  command
    .command("inspect")
    .description("Show what data files hold: variables with units, grid, times. Reads GRIB 1 and 2, NetCDF and Zarr.")
    .argument("<path...>", "files, folders or globs; several are joined. `synthetic` is the built-in atmosphere")
    .option("--values", "read one field of each variable and show its range")
    .addHelpText(
      "after",
      "\nExamples:\n  foehn dataset inspect era5.grib\n  foehn dataset inspect 'data/*.nc' --values\n  foehn dataset inspect forecast.zarr --json\n",
    )
    .action(run(inspect));
};

async function inspect(
  console: Console,
  options: { readonly values?: boolean },
  paths: readonly string[],
): Promise<void> {
  const source = await openData(paths);
  try {
    const { describeGrid } = await import("../../grid/grid.js");
    const { gridToJson } = await import("../../grid/json.js");
    const { times, variables, grid } = source;
    const ranges = new Map<string, { readonly min: number; readonly max: number; readonly missing: number }>();
    if (options.values) {
      for (const { name } of variables) {
        const time = (source.timesOf?.(name) ?? times)[0];
        if (time === undefined) continue;
        const [field] = await source.read({ time, variables: [name] });
        ranges.set(name, rangeOf(field!.values));
      }
    }
    const steps = stepsOf(times);
    const value = {
      description: source.description,
      variables: variables.map((v) => ({
        name: v.name,
        units: v.units,
        long_name: v.longName,
        ...(v.standardName === undefined ? {} : { standard_name: v.standardName }),
        ...(v.invariant ? { invariant: true } : {}),
        ...(ranges.has(v.name) ? { range: ranges.get(v.name) } : {}),
      })),
      grid: gridToJson(grid),
      shape: grid.shape,
      times: {
        count: times.length,
        first: times.length > 0 ? formatTime(times[0]!) : null,
        last: times.length > 0 ? formatTime(times.at(-1)!) : null,
        steps: [...steps].map(([seconds, count]) => ({ step: formatDuration(seconds), count })),
      },
    };
    const rows = variables.map((v) => {
      const range = ranges.get(v.name);
      const shown = range
        ? `${short(range.min)} to ${short(range.max)}${range.missing > 0 ? `, ${range.missing} missing` : ""}`
        : "";
      return [v.name, v.units, v.longName, v.invariant ? "constant" : "", shown];
    });
    console.result(
      value,
      [
        source.description,
        "",
        `grid       ${describeGrid(grid)}`,
        `times      ${describeTimes(times, steps)}`,
        `variables  ${variables.length}`,
        "",
        table(rows).replace(/^/gm, "  "),
      ].join("\n"),
    );
  } finally {
    await source.close();
  }
}

/** How often each time step occurs, the most frequent first. */
function stepsOf(times: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 1; i < times.length; i++) {
    const step = times[i]! - times[i - 1]!;
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  return new Map([...counts].sort((a, b) => b[1] - a[1]));
}

function describeTimes(times: readonly number[], steps: Map<number, number>): string {
  if (times.length === 0) return "none: every variable is constant";
  if (times.length === 1) return formatTimeShort(times[0]!);
  const [first] = steps;
  const span = `${times.length}, ${formatTimeShort(times[0]!)} to ${formatTimeShort(times.at(-1)!)}`;
  if (steps.size === 1) return `${span}, every ${formatDuration(first![0])}`;
  const gaps = times.length - 1 - first![1];
  return `${span}, mostly every ${formatDuration(first![0])}, with ${gaps} other step${gaps === 1 ? "" : "s"}`;
}

function rangeOf(values: Float32Array): { min: number; max: number; missing: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let missing = 0;
  for (const value of values) {
    if (Number.isNaN(value)) missing++;
    else {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return { min, max, missing };
}

const short = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "nothing");
