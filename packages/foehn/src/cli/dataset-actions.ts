// What the verbs of foehn dataset do with a dataset by name: its splits in words, statistics, pictures, conversion, checks, speed.
// Each opens the dataset, calls one library function and prints.

import type { Command } from "commander";
import { DataError, UsageError } from "../core/errors.js";
import { withInterrupt } from "../core/interrupt.js";
import { formatDuration, formatTime, formatTimeShort } from "../core/time.js";
import type { convertFormats } from "../datasets/convert.js";
import type { DatasetOptions, DatasetSplits, FeatureStats } from "../datasets/dataset.js";
import { type Console, table } from "./io.js";
import { choiceOption, integerOption } from "./options.js";

/** The flags that say which dataset, and with which samples. */
export interface DatasetFlags {
  readonly datasetConf?: string;
  readonly data?: string;
  readonly cacheDir?: string;
  readonly onNan?: "fail" | "mask";
  readonly numInputSteps?: number;
  readonly numPredStepsTrain?: number;
  readonly numPredStepsValTest?: number;
  readonly numWorkers?: number;
}

/** Adds them to a command. */
export function addDatasetFlags(command: Command): Command {
  return command
    .option("--dataset-conf <file>", "what the dataset consists of: YAML, TOML or JSON")
    .option("--data <path>", "read this instead of what the file names")
    .option(
      "--cache-dir <folder>",
      "where statistics are kept between runs (default: in the cache folder, FOEHN_CACHE)",
    )
    .addOption(choiceOption("--on-nan <what>", "missing values: stop, or keep their masks", ["fail", "mask"]))
    .addOption(integerOption("--num-input-steps <n>", "past states in a sample (default: 2)", { min: 1 }))
    .addOption(integerOption("--num-pred-steps-train <n>", "states to predict in training (default: 1)", { min: 1 }))
    .addOption(integerOption("--num-pred-steps-val-test <n>", "the same elsewhere (default: 1)", { min: 1 }));
}

/** Loads installed plugins, which may bring datasets. Where there are none the engine is not loaded for it. */
export async function loadPlugins(): Promise<void> {
  const { findInstalledPlugins } = await import("../core/plugin-files.js");
  if (findInstalledPlugins().length === 0) return;
  await (await import("../training/plugins.js")).loadInstalledPlugins();
}

/** Opens a dataset for the time of `use`. */
async function withSplits<T>(
  console: Console,
  name: string,
  flags: DatasetFlags,
  use: (splits: DatasetSplits, signal: AbortSignal) => Promise<T>,
  more: Partial<DatasetOptions> = {},
): Promise<T> {
  const { openDataset } = await import("../datasets/registry.js");
  const { cacheDir } = await import("../core/cache-dir.js");
  return withInterrupt(async (signal) => {
    const splits = await openDataset(name, {
      numInputSteps: flags.numInputSteps ?? 2,
      numPredStepsTrain: flags.numPredStepsTrain ?? 1,
      numPredStepsValTest: flags.numPredStepsValTest ?? 1,
      confPath: flags.datasetConf,
      overrides: flags.data === undefined ? undefined : { source: flags.data },
      cacheDir: flags.cacheDir ?? cacheDir("datasets"),
      onNan: flags.onNan,
      numWorkers: flags.numWorkers,
      progress: console.progress(),
      ...more,
    });
    try {
      return await use(splits, signal);
    } finally {
      await splits.close();
    }
  });
}

const parts = ["train", "valid", "test"] as const;

/** foehn dataset inspect NAME: features with roles and statistics, grid, forcings, samples. */
export async function inspectDataset(console: Console, name: string, flags: DatasetFlags): Promise<void> {
  const { describeDataset } = await import("../datasets/describe.js");
  const { describeGrid } = await import("../grid/grid.js");
  const { gridToJson } = await import("../grid/json.js");
  await withSplits(console, name, flags, async (splits) => {
    const { info } = splits;
    const period = (part: (typeof parts)[number]) => info.periods?.[part];
    const value = {
      name: info.name,
      grid: gridToJson(info.grid),
      shape: info.grid.shape,
      step: formatDuration(info.stepSeconds),
      border_size: info.borderSize,
      features: info.features,
      forcings: info.forcingNames,
      statics: info.statics.names,
      statistics: info.stats,
      difference_statistics: info.diffStats,
      splits: Object.fromEntries(
        parts.map((part) => {
          const span = period(part);
          return [
            part,
            {
              samples: splits[part].length,
              ...(span ? { start: formatTime(span.start), end: formatTime(span.end) } : {}),
            },
          ];
        }),
      ),
    };
    const rows = parts.map((part) => {
      const span = period(part);
      const text = span ? `${formatTimeShort(span.start)} to ${formatTimeShort(span.end)}` : "";
      return [part, `${splits[part].length} samples`, text];
    });
    console.result(value, [describeDataset(info), `grid:    ${describeGrid(info.grid)}`, "", table(rows)].join("\n"));
  });
}

/** foehn dataset stats NAME */
export async function datasetStats(
  console: Console,
  name: string,
  flags: DatasetFlags & { readonly output?: string },
): Promise<void> {
  const { atomicWrite } = await import("../core/files.js");
  await withSplits(console, name, flags, async ({ info }) => {
    const names = Object.keys(info.stats);
    const units = new Map(info.features.map((f) => [f.name, f.units]));
    const value = { dataset: info.name, statistics: info.stats, difference_statistics: info.diffStats };
    const number = (x: number) => String(Number(x.toPrecision(6)));
    const row = (label: string, unit: string, s: FeatureStats) => [
      label,
      unit,
      ...[s.mean, s.std, s.min, s.max].map(number),
    ];
    const header = ["", "units", "mean", "std", "min", "max"];
    const text = [
      `${info.name}: statistics of the training period`,
      table([header, ...names.map((n) => row(n, units.get(n) ?? "", info.stats[n]!))]),
      "",
      `differences over ${formatDuration(info.stepSeconds)}, of normalised fields`,
      table([header, ...names.flatMap((n) => (info.diffStats[n] ? [row(n, "1", info.diffStats[n])] : []))]),
    ].join("\n");
    if (flags.output !== undefined) {
      await atomicWrite(flags.output, `${JSON.stringify(value, null, 1)}\n`);
      console.info(`written to ${flags.output}`);
    }
    console.result(value, text);
  });
}

/** foehn dataset check NAME */
export async function checkDatasetAction(
  console: Console,
  name: string,
  flags: DatasetFlags & { readonly sigmas?: number; readonly limit?: number; readonly max?: number },
): Promise<void> {
  const { checkDataset, describeProblem } = await import("../datasets/check.js");
  const found = await withSplits(
    console,
    name,
    flags,
    async (splits, signal) => {
      const { sigmas, limit } = flags;
      const result = await checkDataset(splits, { sigmas, limit, signal, progress: console.progress() });
      const { problems, frames } = result;
      const max = flags.max ?? 50;
      const lines = problems.slice(0, max).map(describeProblem);
      if (problems.length > max) lines.push(`… and ${problems.length - max} more (--max ${problems.length} shows all)`);
      if (problems.length === 0) lines.push(`${frames} times of ${splits.info.name}: nothing is wrong`);
      console.result(
        {
          dataset: splits.info.name,
          times: frames,
          problems: problems.map((p) => ({ ...p, time: p.time === undefined ? undefined : formatTime(p.time) })),
        },
        lines.join("\n"),
      );
      return result;
    },
    { onNan: "mask", numWorkers: 0 },
  );
  if (found.problems.length > 0) {
    const kinds = [...new Set(found.problems.map((p) => p.kind))].join(", ");
    throw new DataError(
      `${found.problems.length} problem${found.problems.length === 1 ? "" : "s"} in ${found.frames} times (${kinds})`,
    );
  }
}

/** foehn dataset speedtest NAME */
export async function datasetSpeed(
  console: Console,
  name: string,
  flags: DatasetFlags & { readonly batchSize?: number; readonly batches?: number },
): Promise<void> {
  const { batches } = await import("../datasets/batches.js");
  const { disposeBatch } = await import("../datasets/item.js");
  await withSplits(console, name, flags, async ({ train }, signal) => {
    const batchSize = flags.batchSize ?? 1;
    const limit = flags.batches ?? 20;
    let samples = 0;
    const startedAt = performance.now();
    for await (const batch of batches(train, { batchSize, shuffleSeed: 42, limit })) {
      samples += batch.batchSize;
      disposeBatch(batch);
      if (signal.aborted) break;
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = samples / seconds;
    console.result(
      { samples, seconds, samples_per_second: rate, batch_size: batchSize },
      `${samples} samples in ${seconds.toFixed(2)} s: ${rate.toPrecision(3)} samples per second, ${((1000 * seconds) / samples).toPrecision(3)} ms each`,
    );
  });
}

/** foehn dataset plot NAME */
export async function plotDataset(
  console: Console,
  name: string,
  flags: DatasetFlags & {
    readonly output?: string;
    readonly part?: (typeof parts)[number];
    readonly sample?: number;
    readonly variables?: readonly string[];
  },
): Promise<void> {
  const { drawSample } = await import("../plots/sample-figure.js");
  const { disposeItem } = await import("../datasets/item.js");
  const { didYouMean } = await import("../core/suggest.js");
  const { atomicWrite } = await import("../core/files.js");
  await withSplits(console, name, flags, async (splits) => {
    const { info } = splits;
    const part = flags.part ?? "train";
    const index = flags.sample ?? 0;
    const item = await splits[part].item(index);
    const read = info.forcing.variables.map((n) => ({
      name: n,
      longName: n,
      units: splits.fields?.units[n] ?? "",
      role: "forcing",
    }));
    const computed = info.forcingNames
      .filter((n) => !info.forcing.variables.includes(n))
      .map((n) => ({ name: n, longName: n, units: "1", role: "forcing" }));
    const all = [...info.features, ...read, ...computed];
    for (const wanted of flags.variables ?? []) {
      if (all.some((f) => f.name === wanted)) continue;
      const names = all.map((f) => f.name);
      throw new UsageError(`--variables: there is no feature "${wanted}"`, {
        hint: `${didYouMean(wanted, names)} It has: ${names.join(", ")}.`.trim(),
      });
    }
    // Features that are the same everywhere at each time make no picture unless they are asked for.
    const chosen = flags.variables ? all.filter((f) => flags.variables!.includes(f.name)) : [...info.features, ...read];
    const points = info.grid.shape[0] * info.grid.shape[1];
    const take = (
      nt: typeof item.inputs,
      feature: string,
      times: readonly number[],
      kind: "input" | "target" | "forcing",
      mask: typeof item.mask,
    ) => {
      if (!nt.featureNames.includes(feature)) return [];
      const { mean, std } = info.stats[feature] ?? { mean: 0, std: 1 };
      const values = nt.feature(feature).contiguous().toTypedArray() as Float32Array;
      const exists = mask?.feature(feature).contiguous().toTypedArray() as Float32Array | undefined;
      exists?.forEach((one, n) => {
        if (one === 0) values[n] = Number.NaN;
      });
      return times.map((time, k) => ({
        kind,
        time,
        values: values.slice(k * points, (k + 1) * points).map((x) => x * std + mean),
      }));
    };
    const figure = drawSample({
      grid: info.grid,
      title: `${info.name}, ${part} sample ${index}`,
      borderSize: info.borderSize,
      coastlines: info.isOfThisEarth !== false,
      features: chosen.map((feature) => ({
        ...feature,
        steps:
          feature.role === "forcing"
            ? take(item.forcing, feature.name, item.times.outputs, "forcing", item.forcingMask)
            : [
                ...take(item.inputs, feature.name, item.times.inputs, "input", item.inputMask),
                ...take(item.outputs, feature.name, item.times.outputs, "target", item.mask),
              ],
      })),
    });
    disposeItem(item);
    const output = flags.output ?? `${name}-${part}-${index}.png`;
    if (!/\.(png|svg)$/.test(output)) throw new UsageError(`${output} ends neither in .png nor in .svg`);
    await atomicWrite(output, output.endsWith(".svg") ? figure.svg : figure.png({ scale: 1.5 }));
    console.result({ output, part, sample: index, features: chosen.map((f) => f.name) }, `wrote ${output}`);
  });
}

/** foehn dataset convert NAME OUTPUT */
export async function convertDataset(
  console: Console,
  name: string,
  output: string,
  flags: DatasetFlags & { readonly half?: boolean; readonly format?: (typeof convertFormats)[number] },
): Promise<void> {
  const { convertFields } = await import("../datasets/convert.js");
  await withSplits(
    console,
    name,
    flags,
    async (splits, signal) => {
      const { info, fields } = splits;
      const frames = parts.flatMap((part) => fields?.frames(part) ?? []);
      if (!fields || frames.some((key) => key.run !== undefined)) {
        throw new UsageError(`${name} has several forecasts for one time; only series of states can be converted`);
      }
      const points = info.grid.shape[0] * info.grid.shape[1];
      const width = fields.names.length;
      const longName = new Map(info.features.map((f) => [f.name, f.longName]));
      const made = ["x", "y", "border_mask", "latitude", "sin_longitude", "cos_longitude"];
      const statics = info.statics.names.filter((n) => !made.includes(n));
      const result = await convertFields(
        {
          grid: info.grid,
          times: [...new Set(frames.map((key) => key.time))].sort((a, b) => a - b),
          variables: [
            ...fields.names.map((n) => ({
              name: n,
              units: fields.units[n] ?? "1",
              longName: longName.get(n) ?? n,
              stats: info.stats[n],
            })),
            ...statics.map((n) => ({ name: n, units: fields.units[n] ?? "1", longName: n, invariant: true })),
          ],
          async read(time) {
            const all = await fields.read({ time });
            return fields.names.map((_, f) => Float32Array.from({ length: points }, (_v, n) => all[n * width + f]!));
          },
          async readInvariant(n) {
            const at = info.statics.names.indexOf(n);
            const stride = info.statics.names.length;
            return Float32Array.from({ length: points }, (_v, k) => info.statics.fields[k * stride + at]!);
          },
        },
        output,
        { half: flags.half, format: flags.format, progress: console.progress(), signal },
      );
      const text = `${result.times} times of ${width} field${width === 1 ? "" : "s"} in ${output}${result.kept > 0 ? ` (${result.kept} were there already)` : ""}`;
      // The roles of variables are in the configuration, which stays as it is.
      const conf = name === "gridded" && flags.datasetConf !== undefined ? ` --dataset-conf ${flags.datasetConf}` : "";
      console.result(result, `${text}\nuse it with: --dataset gridded${conf} --data ${output}`);
    },
    { numWorkers: 0 },
  );
}
