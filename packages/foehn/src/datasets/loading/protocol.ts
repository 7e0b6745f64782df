// What the main thread and the reading threads say to each other. Everything here can be cloned between threads; sample memory is
// shared, not copied.

import {
  ConfigError,
  DataError,
  FoehnError,
  FormatError,
  InterruptedError,
  ModelError,
  NumericalError,
  StorageError,
  TrustError,
  UsageError,
} from "../../core/errors.js";
import type { FeatureStats } from "../dataset.js";
import type { FrameLayout } from "../frames.js";
import type { SampleStart } from "../periods.js";
import type { BatchMemory } from "./memory-layout.js";

/** How another thread opens the same source: a function of a module, and its arguments. */
export interface SourceRecipe {
  /** Address of a module (`import.meta.resolve`, `new URL(…).href`). */
  readonly module: string;
  /** Name of an exported function that gives a `Source` or a promise of one. */
  readonly open: string;
  /** Plain data. */
  readonly args: readonly unknown[];
}

/** With what a reading thread starts. */
export interface ReaderSetup {
  readonly recipe: SourceRecipe;
  readonly layout: FrameLayout;
  readonly stats: Readonly<Record<string, FeatureStats>>;
}

/** Fill the memory of one sample of a batch. */
export interface ReadJob {
  readonly id: number;
  readonly start: SampleStart;
  readonly memory: BatchMemory;
  /** Which sample of the batch. */
  readonly index: number;
  readonly keep: boolean;
}

/** The answer to a job. */
export interface ReadDone {
  readonly id: number;
  readonly error?: PlainError;
}

/** An error that crosses threads. */
export interface PlainError {
  readonly code: string | null;
  readonly message: string;
  readonly where?: string | undefined;
  readonly hint?: string | undefined;
  readonly stack?: string | undefined;
}

const classes = {
  config: ConfigError,
  data: DataError,
  format: FormatError,
  interrupted: InterruptedError,
  model: ModelError,
  numerical: NumericalError,
  storage: StorageError,
  "not-trusted": TrustError,
  usage: UsageError,
} as const;

/** An error as plain data. */
export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { code: null, message: String(error) };
  const known =
    error instanceof FoehnError ? { code: error.code, where: error.where, hint: error.hint } : { code: null };
  return { ...known, message: error.message, stack: error.stack };
}

/** The error again, of its own class, with the stack of the other thread. */
export function fromPlainError({ code, message, where, hint, stack }: PlainError): Error {
  const Known = code !== null && Object.hasOwn(classes, code) ? classes[code as keyof typeof classes] : undefined;
  const error = Known ? new Known(message, { where, hint }) : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
