// How long work tells how far it is: a bar on a terminal, a line every few seconds elsewhere (batch logs, where redrawn bars
// are unreadable), JSON events for programs. Everything goes to stderr: stdout is for results.

import { formatDuration } from "./time.js";

/** What a long-running function reports to. One task at a time: `start`, many `update`s, `finish`. */
export interface Progress {
  start(label: string, total?: number): void;
  /** `done` of `total` units; `fields` are shown beside it (loss, learning rate …). */
  update(done: number, fields?: Readonly<Record<string, number | string>>): void;
  /** A line that stays, such as the summary of an epoch. */
  note(line: string): void;
  finish(message?: string): void;
}

/** Progress that says nothing; the default of library functions. */
export const silentProgress: Progress = { start() {}, update() {}, note() {}, finish() {} };

/** The stream a progress writes to: `process.stderr` or anything like it. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly columns?: number | undefined;
}

/** Options of {@link createProgress}. */
export interface ProgressOptions {
  readonly mode: "bar" | "lines" | "json" | "silent";
  readonly stream?: ProgressStream;
  /** Least time between two lines, in milliseconds; default 100 for a bar, 5000 for lines, 500 for JSON. */
  readonly intervalMs?: number;
  /** Milliseconds since any fixed moment; default `performance.now`. */
  readonly clock?: () => number;
}

/** A progress reporter of the given kind. */
export function createProgress(options: ProgressOptions): Progress {
  if (options.mode === "silent") return silentProgress;
  const stream = options.stream ?? process.stderr;
  const clock = options.clock ?? (() => performance.now());
  const interval = options.intervalMs ?? { bar: 100, lines: 5000, json: 500 }[options.mode];
  const bar = options.mode === "bar";
  const json = options.mode === "json";
  let label = "";
  let total: number | undefined;
  let startedAt = 0;
  let shownAt = 0;
  let done = 0;
  let open = false; // a bar is on the current line

  const event = (kind: string, fields: Readonly<Record<string, unknown>>): void => {
    stream.write(`${JSON.stringify({ event: kind, ...fields })}\n`);
  };
  const clear = (): void => {
    if (open) stream.write("\r\x1b[K");
    open = false;
  };
  const seconds = (): number => Math.round(clock() - startedAt) / 1000;

  return {
    start(newLabel, newTotal) {
      label = newLabel;
      total = newTotal;
      done = 0;
      startedAt = clock();
      shownAt = bar ? startedAt - interval : startedAt;
      if (json) event("start", { label, ...(total === undefined ? {} : { total }) });
      else if (!bar) stream.write(`${label}${total === undefined ? "" : ` (${total})`}\n`);
    },
    update(newDone, fields = {}) {
      done = newDone;
      const now = clock();
      if (now - shownAt < interval) return;
      shownAt = now;
      if (json) {
        event("progress", { label, done, ...(total === undefined ? {} : { total }), seconds: seconds(), ...fields });
        return;
      }
      const text = describe(label, done, total, now - startedAt, fields);
      if (!bar) {
        stream.write(`${text}\n`);
        return;
      }
      const width = Math.max(20, (stream.columns ?? 80) - 1);
      const line = total === undefined ? text : `${drawBar(done / Math.max(1, total))} ${text}`;
      stream.write(`\r${line.slice(0, width)}\x1b[K`);
      open = true;
    },
    note(line) {
      clear();
      if (json) event("note", { message: line });
      else stream.write(`${line}\n`);
    },
    finish(message) {
      clear();
      if (json) event("finish", { label, done, seconds: seconds(), ...(message === undefined ? {} : { message }) });
      else if (message !== undefined) stream.write(`${message}\n`);
    },
  };
}

function describe(
  label: string,
  done: number,
  total: number | undefined,
  elapsedMs: number,
  fields: Readonly<Record<string, number | string>>,
): string {
  const count = total === undefined ? `${done}` : `${done}/${total}`;
  const parts = [`${label} ${count}`];
  for (const [key, value] of Object.entries(fields)) {
    parts.push(`${key} ${typeof value === "number" ? formatNumber(value) : value}`);
  }
  if (total !== undefined && done > 0 && done < total) {
    const left = Math.round((elapsedMs / 1000 / done) * (total - done));
    if (left >= 1) parts.push(`${formatDuration(left)} left`);
  }
  return parts.join(" · ");
}

function formatNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? value.toPrecision(4) : value.toExponential(2);
}

function drawBar(fraction: number): string {
  const cells = 20;
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * cells);
  return `${"█".repeat(full)}${"░".repeat(cells - full)}`;
}
