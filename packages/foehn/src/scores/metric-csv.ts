// Scores of single cases as lines of text without a header: initial time, lead hours, channel, metric, value. earth2mip's layout of
// `<folder>/<shard>.csv`, which pandas reads as it is. A case is one initial time and is added as a whole; what an interrupted run left of
// one is dropped when the file is opened again.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
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
    const text = readFileSync(path, "utf8");
    // A line that was cut off has no end.
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const rows = parseMetricRows(whole, path);
    const counts = new Map<number, number>();
    for (const { initialTime } of rows) counts.set(initialTime, (counts.get(initialTime) ?? 0) + 1);
    const complete = [...counts].filter(([time, count]) => count === expectedRows(time)).map(([time]) => time);
    const kept = rows.filter(({ initialTime }) => complete.includes(initialTime)).map(line);
    if (kept.join("") !== text) await atomicWrite(path, kept.join(""));
    return new MetricCsv(path, complete);
  }

  /** True when the case is in the file. */
  has(initialTime: number): boolean {
    return this.#done.has(initialTime);
  }

  /** Adds a case, and waits until it is on the disk. @throws StorageError */
  async add(initialTime: number, rows: readonly MetricRow[]): Promise<void> {
    try {
      const file = await open(this.path, "a");
      try {
        await file.appendFile(rows.map(line).join(""));
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

/** The lines of a file. @throws FormatError naming the first line that is none */
export function parseMetricRows(text: string, path: string): MetricRow[] {
  return text
    .split("\n")
    .map((row, n) => [row.trim(), n + 1] as const)
    .filter(([row]) => row !== "")
    .map(([row, n]) => {
      const parts = row.split(",");
      const [time, lead, channel, metric, value] = parts;
      if (parts.length === 5 && lead !== "" && value !== "") {
        const numbers = [
          Number(lead),
          value === "nan" ? Number.NaN : Number(value!.replace(/^(-?)inf$/, "$1Infinity")),
        ];
        if (Number.isFinite(numbers[0]) && (value === "nan" || !Number.isNaN(numbers[1]))) {
          return {
            initialTime: timeOf(time!, path, n),
            leadHours: numbers[0]!,
            channel: channel!,
            metric: metric!,
            value: numbers[1]!,
          };
        }
      }
      throw new FormatError(`expected initial time, lead hours, channel, metric, value, got "${row.slice(0, 80)}"`, {
        where: `${path}:${n}`,
      });
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
