// `--explain` of any verb: what a run would need and where it would fail, printed; the exit status is what the run's would be.
// The work is forecast/explain/.

import { type FoehnError, ModelError, TrustError, UsageError } from "../core/errors.js";
import { formatDuration, formatTime, formatTimeShort } from "../core/time.js";
import type { ExplainOptions } from "../forecast/explain/explain.js";
import type { Explanation, FieldsPart } from "../forecast/explain/explanation.js";
import { listShort } from "../sources/resolve.js";
import type { Console } from "./io.js";
import { formatBytes as bytes } from "./sizes.js";

/** Explains a run and prints it. @throws FoehnError when it would not run, after printing why */
export async function printExplanation(console: Console, options: ExplainOptions): Promise<void> {
  const { explain } = await import("../forecast/explain/explain.js");
  const explanation = await explain(options);
  console.result(toJson(explanation), formatExplanation(explanation));
  const { problems, exitCode } = explanation;
  if (exitCode === 0) return;
  const what = `it would not run: ${count(problems.length, "problem")}`;
  throw failure(exitCode, what);
}

function failure(exitCode: number, what: string): FoehnError {
  if (exitCode === 3) return new TrustError(what, {});
  return exitCode === 2 ? new UsageError(what) : new ModelError(what);
}

/** snake_case, times as text. */
function toJson({ model, fields, memory, memoryFree, disk, ...rest }: Explanation): unknown {
  return {
    verb: rest.verb,
    model: {
      ...{ uri: model.uri, name: model.name, resolution: model.lines, grid: model.grid },
      files: model.files.map(({ path, size, isHere }) => ({ path, size: size ?? null, is_here: isHere })),
      bytes_to_fetch: model.bytesToFetch,
      step_hours: model.stepSeconds === undefined ? null : model.stepSeconds / 3600,
      in_channels: model.inChannels ?? null,
      out_channels: model.outChannels ?? null,
      computed_forcings: model.computedForcings,
    },
    initial_times: rest.initialTimes.map(formatTime),
    ...{ steps: rest.steps ?? null, members: rest.members, rows: rest.rows },
    fields: fields.map((part) => ({ ...part, times: part.times.map(formatTime) })),
    memory: { parts: memory, free: memoryFree },
    disk,
    notes: rest.notes,
    problems: rest.problems.map(({ exitCode, ...problem }) => ({ ...problem, exit_code: exitCode })),
    exit_code: rest.exitCode,
  };
}

/** Lines for a terminal. */
export function formatExplanation(explanation: Explanation): string {
  const { model, fields, memory, memoryFree, disk, notes, problems, initialTimes, steps, members, rows } = explanation;
  const lines: string[] = [`model ${model.name}`];
  for (const line of model.lines) lines.push(`  ${line}`);
  if (model.grid) lines.push(`  grid: ${model.grid}`);
  if (model.inChannels && model.outChannels) {
    lines.push(`  starts from ${count(model.inChannels.length, "variable")}: ${listShort(model.inChannels)}`);
    lines.push(`  gives ${count(model.outChannels.length, "variable")}: ${listShort(model.outChannels)}`);
  }
  if (model.computedForcings.length > 0) lines.push(`  computes ${model.computedForcings.join(", ")}`);
  if (model.files.length > 0) {
    lines.push("", "files of the package");
    for (const { path, size, isHere } of model.files) {
      lines.push(
        `  ${path}  ${size === undefined ? "size not known" : bytes(size)}  ${isHere ? "here" : "to be fetched"}`,
      );
    }
    if (model.bytesToFetch > 0) lines.push(`  to be fetched: ${bytes(model.bytesToFetch)}`);
  }
  if (initialTimes.length > 0 && steps !== undefined) {
    const span = initialTimes.length === 1 ? "" : ` to ${formatTimeShort(initialTimes.at(-1)!)}`;
    const lead = model.stepSeconds === undefined ? "" : `, +${formatDuration(steps * model.stepSeconds)}`;
    lines.push(
      "",
      "run",
      `  ${count(initialTimes.length, "initial time")}, ${formatTimeShort(initialTimes[0]!)}${span}`,
      `  ${count(steps, "step")}${lead}; ${count(members, "member")}; ${count(rows, "row")} a call`,
    );
  }
  if (fields.length > 0) {
    lines.push("", "fields to read");
    for (const part of fields) lines.push(`  ${fieldsLine(part)}`, `    from ${part.from}`);
  }
  if (memory.length > 0) {
    const total = memory.reduce((sum, part) => sum + part.bytes, 0);
    const parts = memory.map((part) => `${part.what} ${bytes(part.bytes)}`).join(", ");
    lines.push(
      "",
      "memory",
      `  at least ${bytes(total)} of ${bytes(memoryFree)} free, without the network's own fields`,
      `  ${parts}`,
    );
  }
  if (disk.length > 0) {
    lines.push("", "disk, without compression");
    for (const { what, bytes: size, free } of disk) {
      lines.push(`  ${what}  ${bytes(size)}${free === undefined ? "" : ` of ${bytes(free)} free`}`);
    }
  }
  if (notes.length > 0) lines.push("", "notes", ...notes.map((note) => `  ${note}`));
  lines.push("");
  if (problems.length === 0) lines.push("it would run");
  else {
    lines.push("problems");
    for (const { message, where, hint } of problems) {
      lines.push(`  - ${message}`);
      if (where) lines.push(`    in ${where}`);
      if (hint) lines.push(`    hint: ${hint}`);
    }
  }
  return lines.join("\n");
}

function fieldsLine({ role, variables, times }: FieldsPart): string {
  const span =
    times.length === 0
      ? "no times"
      : times.length === 1
        ? formatTimeShort(times[0]!)
        : `${times.length} times, ${formatTimeShort(times[0]!)} to ${formatTimeShort(times.at(-1)!)}`;
  return `${role}: ${listShort(variables)} × ${span}`;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
