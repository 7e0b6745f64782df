// `--explain`: what a forecast or score would need and where it would fail, told at once and before anything large is fetched: no weights,
// no fields. Of a package only metadata.json is read; of data only headers and indexes. Not here: how it is printed (text.ts).

import { resolve } from "node:path";
import { UsageError } from "../../core/errors.js";
import { forcingNames } from "../../datasets/forcings.js";
import { describeGrid } from "../../grid/grid.js";
import type { ModelPackage } from "../../hub/model-package.js";
import type { Package, PackageOptions } from "../../hub/package.js";
import { schemeOf } from "../../hub/uri.js";
import { refuseExisting } from "../../io/final-name.js";
import type { RegridSpec } from "../../sources/regrid-source.js";
import { isOperational, isRemoteGrib } from "../../sources/schemes.js";
import type { Source } from "../../sources/source.js";
import { namesWithStd } from "../../training/output-std.js";
import { isFormula, openDiagnostic } from "../diagnostics/open-diagnostic.js";
import { requireInputs } from "../diagnostics/with-diagnostics.js";
import { chooseInitialTimes, numberOfSteps } from "../forecast.js";
import { givesNoStd } from "../inference.js";
import { planModel } from "../model-plan.js";
import { type DataChoice, type DataSpec, withData } from "../open-data.js";
import { type FileOutputOptions, fileOutput } from "../outputs/file-output.js";
import { checkFields, modelFields } from "./data-checks.js";
import { type Explanation, type FieldsPart, Problems } from "./explanation.js";
import { type ModelFacts, modelFacts, neededFiles } from "./model-facts.js";
import { diskFree, memoryFree, memoryParts, outputBytes } from "./sizes.js";

/** What is to be explained: the options of the run. */
export interface ExplainOptions
  extends Omit<FileOutputOptions, "overwrite">,
    DataChoice,
    Pick<PackageOptions, "trust" | "offline" | "cache"> {
  /** `forecast`, `score`, `ensemble`: for the text. A score needs the truth. */
  readonly verb: string;
  readonly package: string | Package | ModelPackage;
  readonly source: DataSpec;
  readonly borderSource?: DataSpec | undefined;
  readonly start?: string | number | undefined;
  readonly dates?: string | readonly number[] | undefined;
  readonly steps: number | string;
  readonly members?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly outputStd?: boolean | undefined;
  readonly diagnostics?: readonly string[] | undefined;
  readonly regrid?: RegridSpec | undefined;
  readonly overwrite?: boolean | undefined;
  /** Names of files. */
  readonly outputs?: readonly string[] | undefined;
  /** Files that are small, such as scores: only looked at whether they are there. */
  readonly otherOutputs?: readonly string[] | undefined;
  readonly cwd?: string | undefined;
  /** Initial times where none are said, for verbs that have their own. */
  readonly defaultDates?: ((source: Source, facts: ModelFacts, steps: number) => readonly number[]) | undefined;
}

/** Explains a run. @throws nothing that the run would fail on: that is under `problems` */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  const problems = new Problems();
  const notes: string[] = [];
  const { cwd, members = 1, batchSize = 1 } = options;
  const given =
    typeof options.package === "object" && "source" in options.package ? options.package.source : options.package;
  const { trust, offline, cache } = options;
  const where = { ...(cwd === undefined ? {} : { cwd }), trust, offline, cache };
  const plan = await problems.try(() => planModel(given, where));
  const files = plan ? await neededFiles(plan, problems, notes) : [];
  const facts = plan && (await modelFacts(plan, problems, notes));
  notes.push(...(plan?.notes ?? []));
  const steps = facts && (await problems.try(() => numberOfSteps(options.steps, facts.stepSeconds)));

  const run = { fields: [] as FieldsPart[], initialTimes: [] as readonly number[] };
  const values = facts?.features.map((feature) => feature.name) ?? [];
  const names = options.outputStd ? namesWithStd(values) : values;
  if (options.outputStd && plan?.model?.outputStd === false) problems.add(givesNoStd(plan.model.name));
  const diagnostics = facts ? await diagnosticNames(options, facts, problems) : [];
  const look = async (source: Source): Promise<void> => {
    if (!facts || steps === undefined) return;
    const times = await problems.try(() => initialTimesOf(options, source, facts, steps));
    run.initialTimes = times ?? [];
    const border = options.borderSource;
    const truth = options.verb === "score";
    const withBorder = async (borderSource?: Source) =>
      run.fields.push(
        ...(await modelFields(
          { facts, initialTimes: run.initialTimes, steps },
          source,
          { border: borderSource, truth },
          problems,
        )),
      );
    if (border === undefined) await withBorder();
    else if ((await opened(border, options, facts, problems, notes, withBorder)) === "not opened") await withBorder();
    if (options.diagnostics?.some((text) => text.startsWith("surface_pressure"))) {
      const z = [{ name: "z", units: "m2 s-2" }];
      run.fields.push(await checkFields("diagnostic", source, z, run.initialTimes.slice(0, 1), facts, problems));
    }
  };
  if (facts) await opened(options.source, options, facts, problems, notes, look);
  if (facts && facts.borderSize > 0 && options.borderSource === undefined) {
    notes.push(
      `the model was trained with a known border of ${facts.borderSize} cells; without border data it is the model's own`,
    );
  }

  const variables = names.length + diagnostics.length;
  const rows = Math.max(1, Math.min(batchSize, members * Math.max(1, run.initialTimes.length)));
  const weights = files.reduce((sum, file) => sum + (file.path.endsWith(".json") ? 0 : (file.size ?? 0)), 0);
  const memory = facts ? memoryParts(facts, rows, weights, variables) : [];
  const disk = await diskParts(
    options,
    facts,
    variables,
    run.initialTimes.length * members * (Math.floor((steps ?? 0) / (options.outputFrequency ?? 1)) + 1),
    problems,
    notes,
  );
  const needed = memory.reduce((sum, part) => sum + part.bytes, 0);
  const free = memoryFree();
  const unknown = files.filter((file) => file.size === undefined).map((file) => file.path);
  if (unknown.length > 0) notes.push(`nobody says how large ${unknown.join(", ")} is: estimates are without`);
  if (needed > free) notes.push("it needs more memory than is free: fewer rows a call (--batch-size) need less");
  const [first] = problems.found;
  return {
    verb: options.verb,
    model: {
      uri: typeof given === "string" ? given : given.uri,
      name: plan?.model?.name ?? plan?.package.name ?? String(typeof given === "string" ? given : given.uri),
      lines: plan?.lines ?? [],
      files,
      bytesToFetch: files.reduce((sum, { isHere, size }) => sum + (isHere ? 0 : (size ?? 0)), 0),
      grid: facts && describeGrid(facts.grid),
      stepSeconds: facts?.stepSeconds,
      inChannels: facts?.initial.map(({ name }) => name),
      outChannels: facts && [...names, ...diagnostics],
      computedForcings: facts ? forcingNames(facts.forcing).slice(facts.forcing.variables.length) : [],
    },
    initialTimes: run.initialTimes,
    steps,
    members,
    rows,
    fields: run.fields,
    memory,
    memoryFree: free,
    disk,
    notes,
    problems: problems.found,
    exitCode: first?.exitCode ?? 0,
  };
}

function initialTimesOf(options: ExplainOptions, source: Source, facts: ModelFacts, steps: number): readonly number[] {
  const { start, dates, defaultDates } = options;
  if (start === undefined && dates === undefined && defaultDates) return defaultDates(source, facts, steps);
  return chooseInitialTimes({ start, dates }, source, facts, facts.numInputSteps);
}

/** Opens data and calls `use`, unless opening alone would fetch whole files. */
async function opened(
  spec: DataSpec,
  options: ExplainOptions,
  facts: ModelFacts,
  problems: Problems,
  notes: string[],
  use: (source: Source) => Promise<unknown>,
): Promise<"opened" | "not opened"> {
  const texts = typeof spec === "string" ? [spec] : Array.isArray(spec) ? (spec as readonly string[]) : [];
  const whole = texts.filter(fetchesWhole);
  if (whole.length > 0) {
    notes.push(`not looked into, because opening would fetch whole files: ${whole.join(", ")}`);
    return "not opened";
  }
  const regrid = options.regrid && { to: facts.grid, ...options.regrid };
  await problems.try(() => withData(spec, { ...options, regrid }, async (source) => void (await use(source))));
  return "opened";
}

/** True for addresses of files that have no index: opening them brings them here. */
function fetchesWhole(text: string): boolean {
  const scheme = schemeOf(text);
  if (isOperational(text) || isRemoteGrib(text) || scheme === undefined) return false;
  return /^(https?|s3|gs)$/.test(scheme) && !/\.zarr([/?#]|$)/i.test(text);
}

/** What the diagnostics add, after noting which of their inputs are lacking. */
async function diagnosticNames(options: ExplainOptions, facts: ModelFacts, problems: Problems): Promise<string[]> {
  const names: string[] = [];
  for (const text of options.diagnostics ?? []) {
    const known = [...facts.features.map((feature) => feature.name), ...names];
    const found = await problems.try(async () => {
      if (isFormula(text)) {
        // The geometry of the ground is looked for among the fields; here it only stands in.
        const invariant = async () => new Float32Array(facts.grid.shape[0] * facts.grid.shape[1]);
        return openDiagnostic(text, { grid: facts.grid, invariant });
      }
      const { model } = await planModel(text, options.cwd === undefined ? {} : { cwd: options.cwd });
      if (!model?.manifest.diagnostic) throw new UsageError(`the package ${text} is no diagnostic`);
      const named = (name: string) => ({ name, units: undefined });
      const outputs = model.manifest.out_channels_names ?? [];
      return {
        description: `diagnostic ${model.name}`,
        inChannels: model.manifest.in_channels_names.map(named),
        outChannels: outputs.map((name) => ({ name, units: "", longName: name })),
      };
    });
    if (!found) continue;
    await problems.try(() => requireInputs(found, known));
    names.push(...found.outChannels.map(({ name }) => name));
  }
  return names;
}

async function diskParts(
  options: ExplainOptions,
  facts: ModelFacts | undefined,
  variables: number,
  times: number,
  problems: Problems,
  notes: string[],
): Promise<Explanation["disk"]> {
  const parts: Explanation["disk"][number][] = [];
  for (const name of options.outputs ?? []) {
    const path = resolve(options.cwd ?? "", name);
    const { overwrite = false } = options;
    await problems.try(() => void fileOutput(path, { ...options, overwrite }));
    if (options.overwrite !== true && options.resume !== true) {
      await problems.try(() => refuseExisting(path, { overwrite: false, markers: [] }));
    }
    if (!facts) continue; // nobody knows how large it would be
    const bytesPerValue = /\.gri?b2$/i.test(path) ? (options.gribBits ?? 16) / 8 : 4;
    const kept = options.variables?.length ?? variables;
    const bytes = outputBytes(facts, kept, times, bytesPerValue);
    const free = await diskFree(path);
    parts.push({ what: path, bytes, free });
    const isCompressed = options.compression !== undefined && options.compression !== "none";
    if (free !== undefined && bytes > free) {
      notes.push(
        `${path} needs more than the ${Math.round(free / 1e9)} GB that are free${isCompressed ? ", unless compression makes it smaller" : ""}`,
      );
    }
  }
  for (const name of options.overwrite === true ? [] : (options.otherOutputs ?? [])) {
    const path = resolve(options.cwd ?? "", name);
    await problems.try(() => refuseExisting(path, { overwrite: false, markers: [] }));
  }
  return parts;
}
