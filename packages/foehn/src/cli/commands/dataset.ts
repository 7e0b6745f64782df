// foehn dataset: the datasets that --dataset can name, a look into data files, and what can be done with a dataset. The work is
// in ../dataset-actions.ts.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { formatDuration, formatTime, formatTimeShort } from "../../core/time.js";
import { openData } from "../data.js";
import { addDatasetFlags, type DatasetFlags, loadPlugins } from "../dataset-actions.js";
import { type Console, table } from "../io.js";
import { choiceOption, integerOption, listOption, numberOption } from "../options.js";
import { bytesOption, formatBytes } from "../sizes.js";
import type { DefineVerb } from "../verb.js";

/** foehn dataset list | inspect | stats | plot | convert | check | speedtest */
export const define: DefineVerb = (command, run) => {
  command.usage("list | inspect | stats | check | plot | convert | speedtest | cache");
  command
    .command("list")
    .description("List the datasets that --dataset can name.")
    .action(
      run(async (console) => {
        const { listDatasets } = await import("../../datasets/registry.js");
        await loadPlugins();
        const list = listDatasets().map(({ name, summary }) => ({ name, summary }));
        console.result(list, table(list.map((d) => [d.name, d.summary])));
      }),
    );
  command
    .command("cache")
    .description("Say how much of remote data is kept on this machine, and take away what was used longest ago.")
    .addOption(bytesOption("--max-size <size>", "keep at most so much, such as 5GB; 0 empties it"))
    .addHelpText(
      "after",
      "\nIts folder is FOEHN_DATA_CACHE, its limit FOEHN_DATA_CACHE_SIZE. Models have their own: foehn package list.\n",
    )
    .action(
      run(async (console, { maxSize }: { readonly maxSize?: number }) => {
        const { DataCache, dataCacheLimit } = await import("../../sources/data-cache.js");
        const cache = new DataCache(undefined, maxSize === undefined ? {} : { limit: maxSize });
        if (maxSize !== undefined) await cache.prune();
        const { entries, bytes } = await cache.usage();
        const limit = dataCacheLimit();
        console.result(
          { folder: cache.folder, entries, bytes, limit },
          table([
            ["folder", cache.folder],
            ["kept", `${entries} entries, ${formatBytes(bytes)}`],
            ["limit", formatBytes(limit)],
          ]),
        );
      }),
    );
  addDatasetFlags(
    command
      .command("inspect")
      .description(
        "Show what data files hold, or what a dataset makes of them. Reads GRIB 1 and 2, NetCDF, Zarr, HDF5 and npy folders, here or at an address.",
      )
      .argument(
        "<path...>",
        "files, folders, globs, addresses or a source file; several are joined. Or the name of a dataset",
      )
      .option("--values", "read one field of each variable and show its range"),
  )
    .addHelpText(
      "after",
      `
Examples:
  foehn dataset inspect era5.grib
  foehn dataset inspect 'data/*.nc' --values
  foehn dataset inspect gs://weatherbench2/datasets/era5/1959-2022-6h-64x32_equiangular_conservative.zarr
  foehn dataset inspect gridded --dataset-conf dataset.yaml
  foehn dataset inspect dummy
`,
    )
    .action(run(inspect));
  const verb = (name: string, description: string, example: string): Command =>
    addDatasetFlags(
      command.command(name).description(description).argument("<dataset>", "see foehn dataset list"),
    ).addHelpText("after", `\nExample:\n  foehn dataset ${name} gridded ${example}\n`);
  verb(
    "stats",
    "Compute and show the statistics of the training period, in float64.",
    "--dataset-conf dataset.yaml -o stats.json",
  )
    .option("-o, --output <file>", "write them as JSON too")
    .action(
      run(async (console, flags: DatasetFlags, name: string) => (await actions()).datasetStats(console, name, flags)),
    );
  verb(
    "plot",
    "Draw a sample: past states, what is to be predicted, forcings.",
    "--dataset-conf dataset.yaml --sample 12",
  )
    .addOption(choiceOption("--part <name>", "which samples (default: train)", ["train", "valid", "test"]))
    .addOption(integerOption("--sample <n>", "which one (default: 0)", { min: 0 }))
    .addOption(listOption("--variables <names>", "only these features, separated by commas"))
    .option("-o, --output <file>", "PNG or SVG (default: NAME-PART-SAMPLE.png)")
    .action(
      run(async (console, flags: DatasetFlags, name: string) => (await actions()).plotDataset(console, name, flags)),
    );
  verb(
    "check",
    "Read everything and report what would spoil a training; exit status 1 when something would.",
    "--dataset-conf dataset.yaml",
  )
    .addOption(
      numberOption("--sigmas <x>", "standard deviations that are too far from the mean (default: 10)", {
        min: 0,
        above: true,
      }),
    )
    .addOption(integerOption("--limit <n>", "times of each part at most (default: all)", { min: 1 }))
    .addOption(integerOption("--max <n>", "problems shown at most (default: 50)", { min: 1 }))
    .action(
      run(async (console, flags: DatasetFlags, name: string) =>
        (await actions()).checkDatasetAction(console, name, flags),
      ),
    );
  verb("speedtest", "Measure how fast samples are read.", "--dataset-conf dataset.yaml --batch-size 2")
    .addOption(integerOption("--batch-size <n>", "samples per batch (default: 1)", { min: 1 }))
    .addOption(integerOption("--batches <n>", "batches to read (default: 20)", { min: 1 }))
    .addOption(integerOption("--num-workers <n>", "reading threads, 0 for none (default: by size)", { min: 0 }))
    .action(
      run(async (console, flags: DatasetFlags, name: string) => (await actions()).datasetSpeed(console, name, flags)),
    );
  addDatasetFlags(
    command
      .command("convert")
      .description(
        "Write the fields of a dataset in a form that trains fast: a Zarr store, a folder of .npy files, or earth2mip's HDF5 layout.",
      )
      .argument("<dataset>", "see foehn dataset list")
      .argument("<output>", "NAME.zarr for Zarr, any other name for a folder of .npy files, which can be interrupted"),
  )
    .addOption(choiceOption("--format <name>", "default: by the name of the output", ["npy", "zarr", "hdf5"]))
    .option("--half", "half precision, .npy only: half the size, three digits of each field's deviation")
    .addHelpText("after", "\nExample:\n  foehn dataset convert gridded fields --dataset-conf dataset.yaml --half\n")
    .action(
      run(async (console, flags: DatasetFlags, name: string, output: string) =>
        (await actions()).convertDataset(console, name, output, flags),
      ),
    );
};

const actions = () => import("../dataset-actions.js");

async function inspect(
  console: Console,
  options: DatasetFlags & { readonly values?: boolean },
  paths: readonly string[],
): Promise<void> {
  const { listDatasets } = await import("../../datasets/registry.js");
  const [first] = paths as [string];
  if (/^[a-z][a-z0-9_-]*$/.test(first) && !existsSync(first)) await loadPlugins();
  const isName = paths.length === 1 && listDatasets().some((d) => d.name === first);
  // A folder may be called titan, and `synthetic` is data as well as a dataset: with a file or steps the dataset is meant.
  const isAskedFor = Object.keys(options).some((key) => key.startsWith("num") || key === "datasetConf");
  if (isName && (isAskedFor || (first !== "synthetic" && !existsSync(first)))) {
    return (await actions()).inspectDataset(console, first, options);
  }
  const source = await openData(paths, { progress: console.progress() });
  try {
    const { describeGrid } = await import("../../grid/grid.js");
    const { gridToJson } = await import("../../grid/json.js");
    const { times, variables, grid } = source;
    const ranges = new Map<string, ReturnType<typeof rangeOf>>();
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
      return [v.name, v.units, v.longName, v.invariant ? "constant" : "", range ? describeRange(range) : ""];
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

function describeRange({ min, max, missing }: ReturnType<typeof rangeOf>): string {
  if (min > max) return "all missing at the first time";
  return `${Number(min.toPrecision(6))} to ${Number(max.toPrecision(6))}${missing > 0 ? `, ${missing} missing` : ""}`;
}
