// What a dry run tells: the model, the fields that are needed, sizes, and everything that stands in the way. Plain data, for `--json` too.

import { FoehnError } from "../../core/errors.js";

/** Something that the run would fail on. */
export interface Problem {
  readonly message: string;
  readonly where?: string | undefined;
  readonly hint?: string | undefined;
  /** What the run would exit with. */
  readonly exitCode: number;
}

/** A file of the package that loading the model reads, or may read. */
export interface NeededFile {
  readonly path: string;
  /** Bytes; undefined where nobody says before it is fetched. */
  readonly size: number | undefined;
  /** On this machine already: a folder here, or in the cache. */
  readonly isHere: boolean;
}

/** The model, without its weights. */
export interface ModelPart {
  readonly uri: string;
  readonly name: string;
  /** The steps of its resolution. */
  readonly lines: readonly string[];
  readonly files: readonly NeededFile[];
  /** Bytes still to be fetched, as far as sizes are known. */
  readonly bytesToFetch: number;
  readonly grid: string | undefined;
  readonly stepSeconds: number | undefined;
  readonly inChannels: readonly string[] | undefined;
  readonly outChannels: readonly string[] | undefined;
  /** Computed, not read. */
  readonly computedForcings: readonly string[];
}

/** What a field is for. */
export type FieldRole = "initial state" | "forcing" | "border" | "truth" | "diagnostic";

/** Fields that are read. */
export interface FieldsPart {
  readonly role: FieldRole;
  /** The data that give them. */
  readonly from: string;
  readonly variables: readonly string[];
  /** Epoch seconds UTC, ascending, without repeats. */
  readonly times: readonly number[];
}

/** An estimate in bytes, with what it is of. */
export interface SizePart {
  readonly what: string;
  readonly bytes: number;
}

/** What a dry run tells. */
export interface Explanation {
  readonly verb: string;
  readonly model: ModelPart;
  readonly initialTimes: readonly number[];
  readonly steps: number | undefined;
  readonly members: number;
  /** Dates × members that are stepped together. */
  readonly rows: number;
  readonly fields: readonly FieldsPart[];
  readonly memory: readonly SizePart[];
  /** Bytes of memory that are free. */
  readonly memoryFree: number;
  /** Outputs without compression. */
  readonly disk: readonly (SizePart & { readonly free: number | undefined })[];
  /** Remarks that do not stop the run. */
  readonly notes: readonly string[];
  readonly problems: readonly Problem[];
  /** 0 when it would run; else that of the first problem. */
  readonly exitCode: number;
}

/** Gathers problems instead of stopping at the first one. */
export class Problems {
  readonly #found: Problem[] = [];

  get found(): readonly Problem[] {
    return this.#found;
  }

  /** Notes an error; the same one is noted once. @throws what is no FoehnError: a defect, not a mismatch */
  add(error: unknown): void {
    if (!(error instanceof FoehnError)) throw error;
    const { message, where, hint, exitCode } = error;
    if (this.#found.some((problem) => problem.message === message)) return;
    this.#found.push({ message, where, hint, exitCode });
  }

  /** What `check` gives; undefined when it throws. */
  async try<T>(check: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await check();
    } catch (error) {
      this.add(error);
      return undefined;
    }
  }
}
