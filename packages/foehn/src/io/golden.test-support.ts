// For tests only: where golden files and real data lie, and saying why a test is skipped.

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../../..");

/** A file of test/golden. */
export function golden(...path: string[]): string {
  return join(root, "test/golden", ...path);
}

/** A file of the real test data, or undefined (and a printed reason) when it is not on this machine. */
export function testData(name: string): string | undefined {
  const folder = resolve(root, process.env.FOEHN_TEST_DATA ?? "../shared/data");
  const path = join(folder, name);
  if (existsSync(path)) return path;
  console.warn(`skipped: ${path} is not there (set FOEHN_TEST_DATA to its folder)`);
  return undefined;
}
