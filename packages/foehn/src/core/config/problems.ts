// What a zod schema refuses, in sentences: `expected a number, got "ten"`; `unknown key. Did you mean "lr"?`.
// Known keys are read off the JSON Schema that zod derives, because issues do not carry them.

import { z } from "zod";
import { didYouMean } from "../suggest.js";

/** One thing that is wrong with a configuration. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly text: string;
  /** The key is not there at all. */
  readonly missing: boolean;
}

type Issue = z.core.$ZodIssue;

/** Turns the issues of a failed parse into problems, in the order of the schema. */
export function describeProblems(schema: z.ZodType, value: unknown, issues: readonly Issue[]): Problem[] {
  const describe = (issue: Issue, base: readonly PropertyKey[]): Problem[] => {
    const path = [...base, ...issue.path];
    const input = at(value, path);
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(schema, path);
      return issue.keys.map((key) => ({ path: [...path, key], text: unknownKey(key, known), missing: false }));
    }
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      // The branch whose complaints lie deepest is the one that was meant.
      const depth = (branch: readonly Issue[]) => Math.min(...branch.map((i) => i.path.length));
      const branches = issue.errors.filter((branch) => branch.length > 0);
      const deepest = Math.max(...branches.map(depth));
      const meant = branches.filter((branch) => depth(branch) === deepest);
      if (deepest > 0) return meant[0]!.flatMap((inner) => describe(inner, path));
      const expected = [...new Set(meant.map((branch) => expectation(branch[0]!, input)))];
      return [problem(path, expected.join(" or "), input)];
    }
    if (issue.code === "custom" || ownMessage(issue.message)) {
      const text =
        /\bgot\b/.test(issue.message) || input === undefined ? issue.message : `${issue.message}, got ${show(input)}`;
      return [{ path, text, missing: input === undefined }];
    }
    const wanted = expectation(issue, input);
    const choices = choicesOf(issue);
    const near = typeof input === "string" && choices ? didYouMean(input, choices.map(String)) : "";
    return [problem(path, wanted, input, near)];
  };
  return issues.flatMap((issue) => describe(issue, []));
}

function problem(path: readonly PropertyKey[], wanted: string, input: unknown, near = ""): Problem {
  if (input === undefined) return { path, text: `expected ${wanted}, but it is missing`, missing: true };
  return { path, text: `expected ${wanted}, got ${show(input)}${near ? `. ${near}` : ""}`, missing: false };
}

/** Freezes plain objects and lists all the way down; other objects stay as they are. */
export function freeze<T>(value: T): T {
  const isPlain =
    Array.isArray(value) ||
    (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype);
  if (!isPlain || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value as object)) freeze(inner);
  return Object.freeze(value);
}

/** zod's own sentences begin with these words; anything else was written by the author of the schema, and is better. */
const ownMessage = (message: string): boolean => !/^(Invalid|Too (big|small)|Unrecognized)/.test(message);

function unknownKey(key: string, known: readonly string[]): string {
  const near = didYouMean(key, known);
  if (near) return `unknown key. ${near}`;
  return known.length > 0 ? `unknown key; known keys: ${known.join(", ")}` : "unknown key";
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  bigint: "a whole number",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a block of keys",
  record: "a block of keys",
  date: "a date",
  null: "null",
  nan: "NaN",
};

function choicesOf(issue: Issue): readonly unknown[] | undefined {
  if (issue.code === "invalid_value") return issue.values;
  if (issue.code === "invalid_union") {
    const options = (issue as { options?: unknown }).options;
    // A discriminator with a default may also be left out, which is no choice to offer.
    return Array.isArray(options) ? options.filter((choice) => choice !== undefined) : undefined;
  }
  return undefined;
}

function expectation(issue: Issue, input: unknown): string {
  const choices = choicesOf(issue);
  if (choices) {
    const shown = choices.map((choice) => (typeof choice === "string" ? `"${choice}"` : String(choice)));
    return shown.length === 1 ? shown[0]! : `one of ${shown.join(", ")}`;
  }
  switch (issue.code) {
    case "invalid_type":
      return typeNames[issue.expected] ?? `a ${issue.expected}`;
    case "too_small":
      return bound(issue.origin, issue.inclusive === false ? "more than" : "at least", Number(issue.minimum), input);
    case "too_big":
      return bound(issue.origin, issue.inclusive === false ? "less than" : "at most", Number(issue.maximum), input);
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_format":
      return issue.format === "regex" ? `text that matches ${issue.pattern}` : `text in the format ${issue.format}`;
    case "invalid_key":
      return "another key";
    default:
      return "something else";
  }
}

function bound(origin: string, relation: string, limit: number, input: unknown): string {
  if (origin === "string") return `text of ${relation} ${limit} character${limit === 1 ? "" : "s"}`;
  if (origin === "array" || origin === "set" || Array.isArray(input)) {
    return `a list of ${relation} ${limit} entr${limit === 1 ? "y" : "ies"}`;
  }
  return `a number of ${relation} ${limit}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let inner = value;
  for (const key of path) {
    if (typeof inner !== "object" || inner === null) return undefined;
    inner = (inner as Record<PropertyKey, unknown>)[key];
  }
  return inner;
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  if (Array.isArray(value) && value.length > 4) return `a list of ${value.length} entries`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

interface JsonSchema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
}

/** The keys that the schema knows at a path, through unions and references. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let root: JsonSchema;
  try {
    root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  } catch {
    return []; // a schema that JSON Schema cannot express: the message does without suggestions
  }
  const open = (node: JsonSchema | boolean | undefined): JsonSchema[] => {
    if (typeof node !== "object") return [];
    if (node.$ref) {
      const target = node.$ref === "#" ? root : at(root, node.$ref.replace(/^#\//, "").split("/"));
      return open(target as JsonSchema | undefined);
    }
    return [node, ...[...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])].flatMap(open)];
  };
  let nodes = open(root);
  for (const key of path) {
    nodes = nodes.flatMap((node) =>
      typeof key === "number"
        ? open(node.prefixItems?.[key] ?? node.items)
        : open(node.properties?.[String(key)] ?? node.additionalProperties),
    );
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}
