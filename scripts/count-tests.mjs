#!/usr/bin/env node
// Prints "N passed, N failed, N skipped" from the closing lines of a vitest run: count-tests.mjs LOG [EXIT STATUS].
// Test files that could not even be loaded, and a run that broke off, count as failures: silence is not success.

import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";

/** @param {string} text what vitest printed; @param {number} status how it ended */
export function countTests(text, status = 0) {
  const plain = stripVTControlCharacters(text);
  const line = (label) => plain.match(new RegExp(`^\\s*${label}\\s+(.*\\(\\d+\\))\\s*$`, "gm"))?.at(-1) ?? "";
  const count = (from, word) => Number(new RegExp(`(\\d+) ${word}`).exec(from)?.[1] ?? 0);
  const tests = line("Tests");
  const failedFiles = count(line("Test Files"), "failed");
  let failed = count(tests, "failed");
  if (failed === 0) failed = Math.max(failedFiles, status === 0 && tests !== "" ? 0 : 1);
  return { passed: count(tests, "passed"), failed, skipped: count(tests, "skipped") + count(tests, "todo") };
}

if (process.argv[1]?.endsWith("count-tests.mjs")) {
  const { passed, failed, skipped } = countTests(readFileSync(process.argv[2], "utf8"), Number(process.argv[3] ?? 0));
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
}
