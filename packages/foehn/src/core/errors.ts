// The errors Foehn shows to people: one abstract base with a stable code, concrete classes that each say when to throw
// them, and one way to print them. A message says what is wrong, with the value; `where` says where; `hint` says what to do.
// Not here: TorchError, which belongs to @foehn/torch and is recognised by its `code` only.

/** What every Foehn error takes besides its message. */
export interface ErrorOptions {
  /** File with line and column, variable with time, step: wherever the reader must look. */
  readonly where?: string | undefined;
  /** What to do about it, in the imperative. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Process exit status: 1 failed, 2 wrong usage or configuration, 3 not trusted, 130 interrupted. */
export type ExitCode = 1 | 2 | 3 | 130;

/** Base of all errors that are meant for users. `message` is one sentence about what is wrong, without place or advice. */
export abstract class FoehnError extends Error {
  abstract readonly code: string;
  abstract readonly exitCode: ExitCode;
  readonly where?: string;
  readonly hint?: string;

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    if (options.where) this.where = options.where;
    if (options.hint) this.hint = options.hint;
  }
}

/** The command line, or the arguments of a library call, make no sense. */
export class UsageError extends FoehnError {
  readonly code = "usage";
  readonly exitCode = 2;
}

/** A configuration file or settings object is wrong. */
export class ConfigError extends FoehnError {
  readonly code = "config";
  readonly exitCode = 2;
}

/** The data do not have what was asked for: variable, time, grid, units, or they hold unusable values. */
export class DataError extends FoehnError {
  readonly code = "data";
  readonly exitCode = 1;
}

/** A file does not follow its format: truncated, corrupt, of another version. */
export class FormatError extends FoehnError {
  readonly code = "format";
  readonly exitCode = 1;
}

/** A model or package does not fit: shapes, missing weights, an architecture that is not there. */
export class ModelError extends FoehnError {
  readonly code = "model";
  readonly exitCode = 1;
}

/** A computation left the finite numbers: the loss or a forecast became NaN or infinite. */
export class NumericalError extends FoehnError {
  readonly code = "numerical";
  readonly exitCode = 1;
}

/** The disk does not let us read or write: full, read-only, no permission, no such folder. */
export class StorageError extends FoehnError {
  readonly code = "storage";
  readonly exitCode = 1;
}

/** A server could not be reached, refused, or sent something else than it said. `status` is what it answered, if it did. */
export class NetworkError extends FoehnError {
  readonly code = "network";
  readonly exitCode = 1;
  readonly status?: number;

  constructor(message: string, options: ErrorOptions & { readonly status?: number | undefined } = {}) {
    super(message, options);
    if (options.status !== undefined) this.status = options.status;
  }
}

/** Something would run code, or use files, that nobody vouched for. */
export class TrustError extends FoehnError {
  readonly code = "not-trusted";
  readonly exitCode = 3;
}

/** The user stopped the work (Ctrl-C or SIGTERM). */
export class InterruptedError extends FoehnError {
  readonly code = "interrupted";
  readonly exitCode = 130;
}

/** True for a Foehn error; with codes, only for one of those. */
export function isFoehnError(err: unknown, ...codes: readonly string[]): err is FoehnError {
  return err instanceof FoehnError && (codes.length === 0 || codes.includes(err.code));
}

/** The exit status for any thrown value. */
export function exitCodeOf(err: unknown): ExitCode {
  if (err instanceof FoehnError) return err.exitCode;
  return isAbort(err) ? 130 : 1;
}

/**
 * Text for a person: `error: what`, then where and what to do on their own lines.
 * With `debug`, stacks and causes follow.
 */
export function formatError(err: unknown, options: { readonly debug?: boolean | undefined } = {}): string {
  const lines = [`error: ${messageOf(err)}`];
  if (err instanceof FoehnError) {
    if (err.where) lines.push(`   at: ${err.where}`);
    if (err.hint) lines.push(...err.hint.split("\n").map((line, i) => `${i === 0 ? " hint: " : "       "}${line}`));
  } else if (!isTorchError(err) && !isAbort(err) && !options.debug) {
    lines.push(" hint: this may be a defect in Foehn; run the command again with --debug to see where it comes from");
  }
  if (options.debug) {
    for (let e: unknown = err, depth = 0; e !== undefined && depth < 8; depth++) {
      lines.push(`${depth === 0 ? "" : "caused by: "}${e instanceof Error ? (e.stack ?? String(e)) : String(e)}`);
      e = e instanceof Error ? e.cause : undefined;
    }
  }
  return lines.join("\n");
}

/** The same as an object, for `--json`. */
export function errorToJson(err: unknown): { error: { code: string; message: string; where?: string; hint?: string } } {
  const known = err instanceof FoehnError ? err : undefined;
  return {
    error: {
      code: known?.code ?? (isTorchError(err) ? "torch" : isAbort(err) ? "interrupted" : "internal"),
      message: messageOf(err),
      ...(known?.where === undefined ? {} : { where: known.where }),
      ...(known?.hint === undefined ? {} : { hint: known.hint }),
    },
  };
}

function messageOf(err: unknown): string {
  if (err instanceof Error) return err.message || err.name;
  return typeof err === "string" ? err : `something that is not an error was thrown: ${String(err)}`;
}

function isAbort(err: unknown): boolean {
  return err instanceof Error && err.name === "AbortError";
}

function isTorchError(err: unknown): boolean {
  return err instanceof Error && err.name === "TorchError";
}
