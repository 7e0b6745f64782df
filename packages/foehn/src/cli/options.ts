// Option kinds that several verbs share, with messages in Foehn's style: `--epochs: expected a whole number of at least 1, got "ten"`.
// Flags carry no default values of their own: what the user did not say is decided by the library or by a configuration file.

import { Option } from "commander";
import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { parseDuration, parseTime, parseTimeRange } from "../core/time.js";

/** `--epochs` of `-e, --epochs <n>`. */
const nameOf = (flags: string): string => new Option(flags).long ?? flags;

function option<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return new Option(flags, description).argParser(parse);
}

/** Bounds of a number. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
  /** The value must be more than `min`, not equal to it. */
  readonly above?: boolean;
}

function describeBounds({ min, max, above }: Bounds): string {
  if (min === undefined) return max === undefined ? "" : ` of at most ${max}`;
  const from = above ? `above ${min}` : `of at least ${min}`;
  return max === undefined ? ` ${from}` : ` ${from} and at most ${max}`;
}

const inBounds = (value: number, { min, max, above }: Bounds): boolean =>
  (min === undefined || (above ? value > min : value >= min)) && (max === undefined || value <= max);

/** A whole number. */
export function integerOption(flags: string, description: string, bounds: Bounds = {}): Option {
  return option(flags, description, (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || !Number.isSafeInteger(value) || !inBounds(value, bounds)) {
      throw new UsageError(`${nameOf(flags)}: expected a whole number${describeBounds(bounds)}, got "${text}"`);
    }
    return value;
  });
}

/** A number, `1e-3` included. */
export function numberOption(flags: string, description: string, bounds: Bounds = {}): Option {
  return option(flags, description, (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || !inBounds(value, bounds)) {
      throw new UsageError(`${nameOf(flags)}: expected a number${describeBounds(bounds)}, got "${text}"`);
    }
    return value;
  });
}

/** One of a few words; the description lists them. */
export function choiceOption(flags: string, description: string, choices: readonly string[]): Option {
  return option(flags, `${description} (${choices.join(", ")})`, (text) => {
    const choice = choices.find((name) => name.toLowerCase() === text.toLowerCase());
    if (choice !== undefined) return choice;
    throw new UsageError(`${nameOf(flags)}: expected one of ${choices.join(", ")}, got "${text}"`, {
      hint: didYouMean(text, choices),
    });
  });
}

const within = <T>(flags: string, parse: (text: string) => T) => {
  return (text: string): T => {
    try {
      return parse(text);
    } catch (err) {
      if (!(err instanceof UsageError)) throw err;
      throw new UsageError(`${nameOf(flags)}: ${err.message}`, { hint: err.hint });
    }
  };
};

/** A time; the value is epoch seconds. */
export function timeOption(flags: string, description: string): Option {
  return option(flags, description, within(flags, parseTime));
}

/** Several times: `a/b/c` or `a/to/b/by/6h`; the value is a list of epoch seconds. */
export function timesOption(flags: string, description: string): Option {
  return option(flags, description, within(flags, parseTimeRange));
}

/** A duration such as `6h`; the value is in seconds. */
export function durationOption(flags: string, description: string): Option {
  return option(flags, description, within(flags, parseDuration));
}

/** Durations separated by commas: `14d,28d`; the value is a list of seconds. */
export function durationsOption(flags: string, description: string): Option {
  return option(
    flags,
    description,
    within(flags, (text) => text.split(",").map(parseDuration)),
  );
}

/** Numbers separated by commas: `0.9,0.95`. */
export function numbersOption(flags: string, description: string, count: number): Option {
  return option(flags, description, (text) => {
    const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
    if (values.length === count && values.every(Number.isFinite)) return values;
    throw new UsageError(`${nameOf(flags)}: expected ${count} numbers separated by commas, got "${text}"`);
  });
}

/** What holds from which epoch on: `0:1,5:2`; the value is a list of pairs. */
export function scheduleOption(flags: string, description: string): Option {
  return option(flags, description, (text) => {
    const pairs = text.split(",").map((part) => /^\s*(\d+):(\d+)\s*$/.exec(part));
    if (pairs.every((pair) => pair !== null)) return pairs.map((pair) => [Number(pair[1]), Number(pair[2])]);
    throw new UsageError(
      `${nameOf(flags)}: expected pairs epoch:steps separated by commas, such as 0:1,5:2, got "${text}"`,
    );
  });
}

/** Sizes of a grid: `64x64`. */
export function sizesOption(flags: string, description: string): Option {
  return option(flags, description, (text) => {
    const sizes = text.split(/[x×,]/).map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : 0));
    if (sizes.length === 2 && sizes.every((size) => size > 0)) return sizes;
    throw new UsageError(`${nameOf(flags)}: expected rows and columns like 64x64, got "${text}"`);
  });
}

/** A list separated by commas: `t2m,u10`. */
export function listOption(flags: string, description: string): Option {
  return option(flags, description, (text) => {
    const names = text.split(",").map((name) => name.trim());
    if (names.includes("")) throw new UsageError(`${nameOf(flags)}: expected names separated by commas, got "${text}"`);
    return names;
  });
}

/** Settings as `key=value`; may be given several times. Values are JSON where they can be, text otherwise. */
export function settingOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, before: Record<string, unknown> | undefined) => {
    const [key, value] = parseSetting(text);
    if (key === undefined) throw new UsageError(`${nameOf(flags)}: expected key=value, got "${text}"`);
    return { ...before, [key]: value };
  });
}

/** Settings of several things as `name.key=value`, such as `prediction.num_samples=2`. */
export function namedSettingOption(flags: string, description: string): Option {
  type Named = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  return new Option(flags, description).argParser((text: string, before: Named = {}): Named => {
    const [path = "", value] = parseSetting(text);
    const [name, key, ...more] = path.split(".");
    if (!name || !key || more.length > 0) {
      throw new UsageError(`${nameOf(flags)}: expected name.key=value, got "${text}"`);
    }
    return { ...before, [name]: { ...before[name], [key]: value } };
  });
}

/** The key is undefined where the text is no setting. */
function parseSetting(text: string): readonly [key: string | undefined, value: unknown] {
  const [key, ...rest] = text.split("=");
  if (!key || rest.length === 0) return [undefined, undefined];
  const raw = rest.join("=");
  try {
    return [key, JSON.parse(raw)];
  } catch {
    return [key, raw];
  }
}

/**
 * A path that may be given several times: `--data a.grib --data b.grib`. It does not take several words at once, because it would
 * swallow an argument that follows.
 */
export function pathsOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, before: readonly string[] = []) => [...before, text]);
}

/** What stands for data on the command line. */
const anyData = "a file, folder, glob, source file, address (https, s3, gs, gfs:, ecmwf:, cds:), or `synthetic`";

/** `--data`, the same everywhere: a path, a glob or `synthetic`. */
export function dataOption(what: string): Option {
  return pathsOption("-d, --data <path>", `${what}: ${anyData}; may be repeated`);
}

/** `--data-member` and `--data-run`: which part of the data, where they hold several. */
export function dataChoiceOptions(): Option[] {
  return [
    integerOption("--data-member <n>", "ensemble member of the data, where they hold several", { min: 0 }),
    timeOption("--data-run <time>", "initial time of the forecast to take of the data, where they hold several"),
  ];
}

/** `--truth`: what a forecast is compared with. */
export function truthOption(): Option {
  return pathsOption("--truth <path>", `what really happened: ${anyData}; may be repeated`);
}

/** `--trust`: for packages from elsewhere that bring code. */
export function trustOption(): Option {
  return new Option("--trust", "let the code that a package brings run");
}

/** `--explain`: the same everywhere. */
export function explainOption(): Option {
  return new Option(
    "--explain",
    "do nothing, but tell what would be read, fetched and written, and everything that would fail",
  );
}

/** `--border-data`: for models of a limited area that were trained with forced borders. */
export function borderDataOption(): Option {
  return pathsOption(
    "--border-data <path>",
    "gives the border at every time, for models trained with one; may be repeated",
  );
}

/** `--regrid`: brings data to the model's grid. */
export function regridOption(): Option {
  const flags = "--regrid <how>";
  return option(
    flags,
    "bring the data to the model's grid: nearest, bilinear, conservative, or a map file (.nc)",
    (text): { readonly method: string } => {
      if (/\.nc$|\//.test(text)) return { method: text };
      const method = ["nearest", "bilinear", "conservative"].find((name) => name === text.toLowerCase());
      if (method !== undefined) return { method };
      throw new UsageError(
        `--regrid: expected nearest, bilinear, conservative or a map file ending in .nc, got "${text}"`,
        { hint: didYouMean(text, ["nearest", "bilinear", "conservative"]) },
      );
    },
  );
}

/** `--shard` and `--n-shards`: several processes share the work. */
export function shardOptions(): readonly Option[] {
  return [
    integerOption("--shard <i>", "do part i of the work, from 0; default 0", { min: 0 }),
    integerOption("--n-shards <n>", "parts of the work; default 1", { min: 1 }),
  ];
}

/** A number of steps, or a lead time that the model's step divides; kept as it is. */
export function stepsOption(flags: string, description: string): Option {
  return option(flags, description, (text): number | string => {
    const steps = Number(text);
    if (/^\d+$/.test(text) && steps > 0) return steps;
    try {
      if (parseDuration(text) > 0) return text;
    } catch {
      // said below, for both
    }
    throw new UsageError(
      `${nameOf(flags)}: expected a number of steps from 1 or a lead time like "10d", got "${text}"`,
    );
  });
}

/** `--device`, the same everywhere. */
export function deviceOption(): Option {
  return option("--device <name>", "where to compute: auto, cpu, cuda, cuda:N (default: auto)", (text) => {
    if (/^(auto|cpu|cuda(:\d+)?)$/.test(text)) return text;
    throw new UsageError(`--device: expected auto, cpu, cuda or cuda:N, got "${text}"`, {
      hint: text.toLowerCase() === "gpu" ? 'Did you mean "cuda"?' : didYouMean(text, ["auto", "cpu", "cuda"]),
    });
  });
}

/** `--threads`: processor threads of the engine. */
export function threadsOption(): Option {
  return integerOption("--threads <n>", "processor threads of the engine (default: one per core)", { min: 1 });
}

/** `--overwrite`, the same everywhere. */
export function overwriteOption(): Option {
  return new Option("--overwrite", "replace the output if it exists");
}

/** Renames the keys of parsed flags to the snake_case of files, leaving out what was not given. */
export function toSnakeCase(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(flags).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([key, value]) => [key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), value]),
  );
}
