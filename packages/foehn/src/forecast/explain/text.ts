// An explanation as text for people.

import { formatDuration, formatTimeShort } from "../../core/time.js";
import { listShort } from "../../sources/resolve.js";
import type { Explanation, FieldsPart } from "./explanation.js";

/** Lines for a terminal. */
export function formatExplanation(explanation: Explanation): string {
  const { model, fields, memory, memoryFree, disk, notes, problems, initialTimes, steps, members, rows } = explanation;
  const lines: string[] = ["model"];
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
    lines.push(`it would not run: ${count(problems.length, "problem")}`);
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

/** `1.5 GB`, in powers of ten. */
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let [value, unit] = [n, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
