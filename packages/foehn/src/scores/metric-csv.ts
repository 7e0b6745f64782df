// Scores of single cases as lines of text without a header: initial time, lead hours, channel, metric, value. earth2mip's layout of
// `<folder>/<shard>.csv`, which pandas reads as it is. A case is one initial time and is added as a whole; what an interrupted run left of
// one is dropped when the file is opened again.

import { closeSync, createReadStream, existsSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { appendFile, open, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FormatError } from "../core/errors.js";
import { atomicWrite, toStorageError } from "../core/files.js";
import { formatTime, parseTime } from "../core/time.js";

/** One line. */
export interface MetricRow {
  /** Epoch seconds UTC. */
  readonly initialTime: number;
  readonly leadHours: number;
  /** Empty for what concerns no channel. */
  readonly channel: string;
  readonly metric: string;
  readonly value: number;
}

/** `<folder>/003.csv`. */
export const shardCsv = (folder: string, shard: number): string =>
  join(folder, `${String(shard).padStart(3, "0")}.csv`);

/** A file that grows by cases. */
export class MetricCsv {
  readonly #done: Set<number>;

  private constructor(
    readonly path: string,
    done: Iterable<number>,
  ) {
    this.#done = new Set(done);
  }

  /**
   * Opens a file, or begins one.
   * @param expectedRows lines of a complete case: cases with another number are dropped
   * @throws FormatError for a file of another kind; StorageError
   */
  static async open(path: string, expectedRows: (initialTime: number) => number): Promise<MetricCsv> {
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true });
      return new MetricCsv(path, []);
    }
    const index = await indexMetricCsv(path);
    const complete = [...index].filter(([time, { rows }]) => rows === expectedRows(time));
    const kept = complete.reduce((bytes, [, { start, end }]) => bytes + end - start, 0);
    // Also a line that was cut off is left out.
    if (kept !== statSync(path).size) {
      await atomicWrite(path, async (temporary) => {
        for (const [, block] of complete) await appendFile(temporary, caseBytes({ file: path, ...block }));
        if (complete.length === 0) await writeFile(temporary, "");
      });
    }
    return new MetricCsv(
      path,
      complete.map(([time]) => time),
    );
  }

  /** True when the case is in the file. */
  has(initialTime: number): boolean {
    return this.#done.has(initialTime);
  }

  /** Adds a case, and waits until it is on the disk. @throws StorageError */
  async add(initialTime: number, rows: Iterable<MetricRow>): Promise<void> {
    try {
      const file = await open(this.path, "a");
      try {
        await file.appendFile(Array.from(rows, line).join(""));
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw toStorageError(error, this.path);
    }
    this.#done.add(initialTime);
  }
}

/** Where the lines of a case are in a file: bytes, and how many lines. */
export interface CaseBlock {
  readonly start: number;
  readonly end: number;
  readonly rows: number;
}

/**
 * The cases of a file, read as a stream. A last line without an end does not count.
 * @throws FormatError for a line that is none, or a case in two places; StorageError
 */
export async function indexMetricCsv(path: string): Promise<Map<number, CaseBlock>> {
  const cases = new Map<number, CaseBlock>();
  let [open, time, block] = ["", Number.NaN, { start: 0, end: 0, rows: 0 }];
  let [at, n] = [0, 0];
  let rest: Buffer = Buffer.alloc(0);
  const finish = () => {
    if (block.rows === 0) return;
    if (cases.has(time)) {
      throw new FormatError(`the lines of ${formatTime(time)} are in two places`, { where: `${path}:${n}` });
    }
    cases.set(time, block);
  };
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      const whole = bytes.lastIndexOf(10) + 1;
      rest = bytes.subarray(whole);
      for (let from = 0; from < whole; ) {
        const to = bytes.indexOf(10, from) + 1;
        const text = bytes.toString("latin1", from, to).trim();
        n++;
        const start = text.slice(0, text.indexOf(","));
        if (text !== "" && start !== open) {
          finish();
          open = start;
          time = parseMetricRow(text, path, n).initialTime;
          block = { start: at, end: at, rows: 0 };
        }
        at += to - from;
        from = to;
        if (text !== "") block = { ...block, end: at, rows: block.rows + 1 };
      }
    }
  } catch (error) {
    throw error instanceof FormatError ? error : toStorageError(error, path);
  }
  finish();
  return cases;
}

function caseBytes({ file, start, end }: { readonly file: string; readonly start: number; readonly end: number }) {
  const bytes = Buffer.alloc(end - start);
  const descriptor = openSync(file, "r");
  try {
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(descriptor, bytes, at, bytes.length - at, start + at);
      if (got === 0) throw new FormatError("the file has become shorter since it was opened", { where: file });
      at += got;
    }
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

/** The lines of one case, found by `indexMetricCsv`. @throws FormatError */
export function readCase(block: { readonly file: string; readonly start: number; readonly end: number }): MetricRow[] {
  return parseMetricRows(caseBytes(block).toString("utf8"), block.file);
}

/** The lines of a file. @throws FormatError naming the first line that is none */
export function parseMetricRows(text: string, path: string): MetricRow[] {
  return text
    .split("\n")
    .map((row, n) => [row.trim(), n + 1] as const)
    .filter(([row]) => row !== "")
    .map(([row, n]) => parseMetricRow(row, path, n));
}

function parseMetricRow(row: string, path: string, n: number): MetricRow {
  const parts = row.split(",");
  const [time, lead, channel, metric, value] = parts;
  if (parts.length === 5 && lead !== "" && value !== "") {
    const hours = Number(lead);
    const number = value === "nan" ? Number.NaN : Number(value!.replace(/^(-?)inf$/, "$1Infinity"));
    if (Number.isFinite(hours) && (value === "nan" || !Number.isNaN(number))) {
      const initialTime = timeOf(time!, path, n);
      return { initialTime, leadHours: hours, channel: channel!, metric: metric!, value: number };
    }
  }
  throw new FormatError(`expected initial time, lead hours, channel, metric, value, got "${row.slice(0, 80)}"`, {
    where: `${path}:${n}`,
  });
}

function timeOf(text: string, path: string, n: number): number {
  try {
    return parseTime(text);
  } catch (cause) {
    throw new FormatError(`"${text}" is not a time`, { where: `${path}:${n}`, cause });
  }
}

// As Python prints them: hours as a float, times without a zone.
function line({ initialTime, leadHours, channel, metric, value }: MetricRow): string {
  const hours = Number.isInteger(leadHours) ? leadHours.toFixed(1) : String(leadHours);
  const shown = Number.isNaN(value) ? "nan" : Number.isFinite(value) ? String(value) : value > 0 ? "inf" : "-inf";
  return `${formatTime(initialTime).replace("Z", "")},${hours},${channel},${metric},${shown}\n`;
}
