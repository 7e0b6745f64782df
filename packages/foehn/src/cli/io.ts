// What a verb may know of the world around it: where to write, how to show progress, whether a program is reading.
// Results go to stdout, everything else to stderr. Tests give streams of their own.

import { createProgress, type Progress } from "../core/progress.js";

/** A stream that text can be written to. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The two output streams of a command. */
export interface Streams {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
}

/** The options that every verb has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly debug?: boolean;
  /** Files of plugins; loaded before the verb's action. */
  readonly plugin?: readonly string[];
}

/** The console of one command: made from its streams and global options. */
export interface Console {
  /** A program reads the output: results as one JSON document, progress as JSON lines. */
  readonly json: boolean;
  readonly quiet: boolean;
  /** Prints the result: `value` as JSON with `--json`, `text` otherwise. */
  result(value: unknown, text: string): void;
  /** A line for people about what happens; silent with `--json` and `--quiet`. */
  info(line: string): void;
  /** A warning: shown even with `--quiet`. */
  warn(line: string): void;
  /** A progress reporter that fits the terminal. */
  progress(): Progress;
}

/** Makes the console of a command. */
export function createConsole(streams: Streams, options: GlobalOptions): Console {
  const json = options.json === true;
  const quiet = options.quiet === true;
  return {
    json,
    quiet,
    result(value, text) {
      if (json) streams.stdout.write(`${JSON.stringify(value, plain, 2)}\n`);
      else if (text !== "") streams.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    info(line) {
      if (!json && !quiet) streams.stderr.write(`${line}\n`);
    },
    warn(line) {
      streams.stderr.write(json ? `${JSON.stringify({ event: "warning", message: line })}\n` : `warning: ${line}\n`);
    },
    progress() {
      const mode = quiet ? "silent" : json ? "json" : streams.stderr.isTTY ? "bar" : "lines";
      return createProgress({ mode, stream: streams.stderr });
    },
  };
}

/** Typed arrays become lists. (JSON.stringify itself makes null of NaN and infinity.) */
function plain(_key: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return [...(value as unknown as Iterable<unknown>)];
  return value;
}

/** Text in columns: each as wide as its longest cell; numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[], gap = 2): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, String(cell).length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          typeof cell === "number" ? String(cell).padStart(widths[i]!) : String(cell).padEnd(widths[i]!),
        )
        .join(" ".repeat(gap))
        .trimEnd(),
    )
    .join("\n");
}
