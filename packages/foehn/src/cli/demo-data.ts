// The data of `foehn demo`: the user's own file, or a simulated atmosphere written to one, with the dataset's configuration file
// beside it. From there on the demo does what anybody would do with files of their own.

import { parse, relative, resolve } from "node:path";
import { atomicWrite } from "../core/files.js";
import type { Progress } from "../core/progress.js";
import { formatTime } from "../core/time.js";
import { defaultPeriods, type Periods } from "../datasets/periods.js";
import { fileOutput } from "../forecast/outputs/file-output.js";
import type { Source } from "../sources/source.js";
import { syntheticSource } from "../sources/synthetic.js";

/** What the rest of the demo works on. */
export interface DemoData {
  /** The file that holds the fields. */
  readonly path: string;
  /** The dataset's configuration file. */
  readonly config: string;
  readonly periods: Periods;
  /** False for the simulated basin, which lies on no map. */
  readonly isOfThisEarth: boolean;
}

/** Simulates the shallow-water basin and writes it to `basin.nc` in the folder. */
export async function simulate(folder: string, progress: Progress, signal: AbortSignal): Promise<DemoData> {
  const source = syntheticSource();
  const path = resolve(folder, "basin.nc");
  try {
    await saveSimulation(source, path, progress, signal);
    const config = await writeConfig(
      folder,
      path,
      source,
      "step: 3h\nforcings: { date: false, insolation: false } # nothing forces the basin\n",
    );
    return { path, config, periods: defaultPeriods(source.times), isOfThisEarth: false };
  } finally {
    await source.close();
  }
}

/** Describes a file of the user's, all variables of it, in `dataset.yaml` in the folder. */
export async function describeFile(folder: string, source: Source, path: string): Promise<DemoData> {
  const config = await writeConfig(folder, resolve(path), source, "forcings: { date: true, insolation: true }\n");
  return { path: resolve(path), config, periods: defaultPeriods(source.times), isOfThisEarth: true };
}

/** A simulation is a forecast from its first state: the file is written as one. */
export async function saveSimulation(
  source: Source,
  path: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { times, variables, grid } = source;
  const start = times[0]!;
  const output = fileOutput(path, { overwrite: true });
  progress.start("simulating", times.length);
  try {
    await output.open({
      grid,
      variables,
      initialTimes: [start],
      members: 1,
      hasMembers: false,
      leadTimes: times.map((time) => time - start),
      provenance: { title: source.description },
    });
    const names = variables.map((variable) => variable.name);
    for (const [index, time] of times.entries()) {
      signal.throwIfAborted();
      const fields = await source.read({ time, variables: names });
      await output.write({
        initialIndex: 0,
        leadIndex: index,
        memberIndex: 0,
        validTime: time,
        fields: fields.map((field) => field.values),
      });
      progress.update(index + 1);
    }
    await output.close();
    progress.finish();
  } catch (err) {
    await output.abort();
    throw err;
  }
}

async function writeConfig(folder: string, path: string, source: Source, forcings: string): Promise<string> {
  const config = resolve(folder, "dataset.yaml");
  const periods = defaultPeriods(source.times);
  const lines = Object.entries(periods).map(
    ([name, { start, end }]) => `  ${name}: { start: "${formatTime(start)}", end: "${formatTime(end)}" }\n`,
  );
  const variables = source.variables.map(
    ({ name, longName, units }) => `  ${name}: { weight: 1 } # ${longName}, ${units}\n`,
  );
  await atomicWrite(
    config,
    `# What foehn demo trained on. Change it, and train again: foehn train --dataset gridded --dataset-conf ${relative(process.cwd(), config)}
name: ${JSON.stringify(parse(path).name)}
source: ${JSON.stringify(relative(folder, path))}
variables:
${variables.join("")}periods:
${lines.join("")}${forcings}`,
  );
  return config;
}
