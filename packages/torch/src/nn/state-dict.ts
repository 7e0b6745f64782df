// Comparing a state dict with a module before loading: missing, unexpected and mis-shaped names, with the nearest names.
import { nearest } from "../errors.js";
import type { Tensor } from "../tensor.js";

/** Names that a non-strict load left alone. */
export interface LoadResult {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/** A tensor whose shape in the file differs from that in the module. */
export interface ShapeMismatch {
  readonly name: string;
  readonly expected: readonly number[];
  readonly got: readonly number[];
}

/** A state dict does not fit a module. Fix the settings of the model, rename the keys, or load with `{ strict: false }`. */
export class StateDictError extends Error {
  /** Stable code for programs. */
  readonly code = "STATE_DICT";
  constructor(
    message: string,
    readonly missing: readonly string[],
    readonly unexpected: readonly string[],
    readonly misshaped: readonly ShapeMismatch[],
  ) {
    super(message);
    this.name = "StateDictError";
  }
}

/** Lines per kind of problem in a message. */
const MAX_LISTED = 20;

/**
 * Compares a module's own tensors with those given.
 * @throws StateDictError for wrong shapes always, and for missing and unexpected names when `strict`
 */
export function compareStateDict(
  moduleName: string,
  own: ReadonlyMap<string, Tensor>,
  given: ReadonlyMap<string, Tensor>,
  strict: boolean,
): LoadResult {
  const missing = [...own.keys()].filter((name) => !given.has(name));
  const unexpected = [...given.keys()].filter((name) => !own.has(name));
  const misshaped: ShapeMismatch[] = [];
  for (const [name, tensor] of own) {
    const got = given.get(name)?.shape;
    const expected = tensor.shape;
    if (got !== undefined && (got.length !== expected.length || got.some((size, i) => size !== expected[i]))) {
      misshaped.push({ name, expected, got });
    }
  }
  if (misshaped.length > 0 || (strict && missing.length + unexpected.length > 0)) {
    const lines = [
      ...prefixHint(missing, unexpected),
      ...listed(
        misshaped,
        ({ name, expected, got }) =>
          `wrong shape: "${name}" is ${show(expected)} in the model, ${show(got)} in the state dict`,
      ),
      ...listed(missing, (name) => `missing: "${name}" ${show(own.get(name)!.shape)}${hint(name, unexpected)}`),
      ...listed(unexpected, (name) => `unexpected: "${name}" ${show(given.get(name)!.shape)}${hint(name, missing)}`),
    ];
    throw new StateDictError(
      `the state dict does not fit ${moduleName}:\n  ${lines.join("\n  ")}`,
      missing,
      unexpected,
      misshaped,
    );
  }
  return { missing, unexpected };
}

/** Training tools wrap a model in another, which puts one more name in front of all. */
function prefixHint(missing: readonly string[], unexpected: readonly string[]): string[] {
  const prefix = unexpected[0]?.match(/^[^.]+\./)?.[0];
  const wanted = new Set(missing);
  if (prefix === undefined || wanted.size === 0) return [];
  const fits = unexpected.every((name) => name.startsWith(prefix) && wanted.has(name.slice(prefix.length)));
  return fits ? [`every name in the state dict starts with "${prefix}"; remove it and load again`] : [];
}

function listed<T>(items: readonly T[], line: (item: T) => string): string[] {
  const lines = items.slice(0, MAX_LISTED).map(line);
  if (items.length > MAX_LISTED) lines.push(`… and ${items.length - MAX_LISTED} more like this`);
  return lines;
}

const show = (shape: readonly number[]) => `[${shape.join(", ")}]`;

function hint(name: string, candidates: readonly string[]): string {
  const near = nearest(name, candidates);
  return near === undefined ? "" : ` (nearest on the other side: "${near}")`;
}
