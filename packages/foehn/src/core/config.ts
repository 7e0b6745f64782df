// Configuration files: JSON, YAML or TOML by their ending, checked against one zod schema, frozen. Everything that is wrong is
// reported at once, each problem as `file:line:col key: expected …, got …` with the nearest known key.
// The readers that know the places are in config/; this file turns schema problems into sentences.

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, extname } from "node:path";
import type { z } from "zod";
import { readJson } from "./config/json.js";
import { type LocatedValue, type Position, SyntaxProblem } from "./config/located.js";
import { describeProblems, freeze } from "./config/problems.js";
import { readToml } from "./config/toml.js";
import { readYaml } from "./config/yaml.js";
import { ConfigError } from "./errors.js";
import { toStorageError } from "./files.js";
import { didYouMean } from "./suggest.js";

/** The formats a configuration may have. */
export type ConfigFormat = "json" | "yaml" | "toml";

const formats: Readonly<Record<string, ConfigFormat>> = {
  ".json": "json",
  ".yaml": "yaml",
  ".yml": "yaml",
  ".toml": "toml",
};

/**
 * Reads and checks a configuration file.
 * @param overrides values that go over the file's, deeply merged: flags over files. `undefined` leaves the file's value.
 * @throws ConfigError listing every problem; StorageError when the file cannot be read
 */
export function loadConfig<T>(
  path: string,
  schema: z.ZodType<T>,
  overrides: Readonly<Record<string, unknown>> = {},
): T {
  const format = formats[extname(path).toLowerCase()];
  if (!format) {
    throw new ConfigError(`${path}: a configuration file ends in ${Object.keys(formats).join(", ")}`);
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ENOENT") throw toStorageError(err, path);
    throw new ConfigError(`there is no configuration file ${path}`, { hint: neighbours(path), cause: err });
  }
  const located = parseConfigText(text, format, path);
  return check(schema, merge(located.value, overrides), path, located, overrides);
}

/**
 * The value of a configuration text, with the place of each of its keys.
 * @param file what to call it in messages
 * @throws ConfigError `file:line:col: what is wrong`
 */
export function parseConfigText(text: string, format: ConfigFormat, file: string): LocatedValue {
  try {
    return { json: readJson, yaml: readYaml, toml: readToml }[format](text);
  } catch (err) {
    if (!(err instanceof SyntaxProblem)) throw err;
    const place = err.position ? `:${err.position.line}:${err.position.column}` : "";
    throw new ConfigError(`${file}${place}: this is not ${format.toUpperCase()}: ${err.message}`, { cause: err });
  }
}

/**
 * Checks settings that came from no file (flags, a library call, a part of a manifest), with messages in the same style.
 * @param where what to call the settings, e.g. `settings of halfunet`
 * @throws ConfigError
 */
export function validateSettings<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  return check(schema, value, where);
}

function check<T>(
  schema: z.ZodType<T>,
  value: unknown,
  where: string,
  located?: LocatedValue,
  overrides: Readonly<Record<string, unknown>> = {},
): T {
  const result = schema.safeParse(value);
  if (result.success) return freeze(result.data);
  const found = describeProblems(schema, value, result.error.issues).map((problem) => {
    const fromFlag = hasPath(overrides, problem.path);
    const position = fromFlag ? undefined : place(located, problem.path, problem.missing);
    const source = fromFlag ? "command line" : position ? `${where}:${position.line}:${position.column}` : where;
    const key = problem.path.map(String).join(".");
    return { position, line: `${source}${key ? ` ${key}` : ""}: ${problem.text}` };
  });
  // In the order of the file: whoever corrects it goes through it once.
  found.sort((a, b) => order(a.position) - order(b.position));
  const lines = [...new Set(found.map((f) => f.line))];
  throw new ConfigError(
    lines.length === 1 ? lines[0]! : `${lines.length} problems in ${where}\n${lines.map((l) => `  ${l}`).join("\n")}`,
  );
}

const order = (p: Position | undefined): number => (p ? p.line * 1e6 + p.column : -1);

/** The place of a key; of a missing one, that of the block it belongs into. */
function place(
  located: LocatedValue | undefined,
  path: readonly PropertyKey[],
  missing: boolean,
): Position | undefined {
  if (!located) return undefined;
  const exact = missing ? undefined : located.locate(path);
  for (let n = path.length - 1; !exact && n >= 0; n--) {
    const near = located.locate(path.slice(0, n));
    if (near) return near;
  }
  return exact;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function hasPath(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value;
  for (const key of path) {
    if (!isObject(at) || at[String(key)] === undefined) return false;
    at = at[String(key)];
  }
  return path.length > 0;
}

function merge(below: unknown, above: Readonly<Record<string, unknown>>): unknown {
  if (Object.keys(above).length === 0) return below;
  const result: Record<string, unknown> = isObject(below) ? { ...below } : {};
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue;
    result[key] = isObject(value) ? merge(result[key], value) : value;
  }
  return result;
}

function neighbours(path: string): string | undefined {
  try {
    const names = readdirSync(dirname(path)).filter((name) => formats[extname(name).toLowerCase()]);
    return didYouMean(basename(path), names) || undefined;
  } catch {
    return `the folder ${dirname(path)} does not exist either`;
  }
}
