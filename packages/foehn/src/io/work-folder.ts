// A folder beside an output that is built by several calls, one after the other or at once: `.name.work`. It holds the plan, which all
// of them must share; a journal with one file for each unit of work that is finished; and the output itself until it gets its final name.
// Everything appears by a rename, so that a process may be killed anywhere: what the journal has is there, the rest is done again.
// Two processes that do the same unit write the same files one over the other, which is harmless. Not here: what a unit is.

import { createHash, randomBytes } from "node:crypto";
import { link, lstat, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StorageError, UsageError } from "../core/errors.js";
import { atomicWrite, toStorageError } from "../core/files.js";
import { type FinalNameOptions, moveToFinalName, refuseExisting, syncEntry } from "./final-name.js";

/** What makes an output what it is: JSON. Two calls with the same plan may work on the same output. */
export type WorkPlan = Readonly<Record<string, unknown>>;

/** Options of `WorkFolder.open`. */
export interface WorkFolderOptions extends FinalNameOptions {
  readonly plan: WorkPlan;
  /** Kept from the first call, not compared: the command line, versions. */
  readonly note?: Readonly<Record<string, string>> | undefined;
  /** Whether the output under the final name was made from the plan of this identity: then there is nothing to do. */
  readonly isMadeFrom: (target: string, identity: string) => Promise<boolean>;
}

/** A work folder; see the top of this file. */
export class WorkFolder {
  /** The output while it is built: a folder for formats of many files. */
  readonly store: string;
  /** For files that are not finished; emptied at the end. */
  readonly temporaries: string;
  readonly #units: string;
  readonly #finished = new Set<number>();

  private constructor(
    readonly target: string,
    readonly path: string,
    /** Hash of the plan: goes into the output. */
    readonly identity: string,
    /** That of the first call. */
    readonly note: Readonly<Record<string, string>>,
    /** The output has its final name already. */
    readonly isComplete: boolean,
    readonly options: WorkFolderOptions,
  ) {
    this.store = join(path, "store");
    this.temporaries = join(path, "tmp");
    this.#units = join(path, "units");
  }

  /**
   * Begins or joins.
   * @throws UsageError when `target` exists and was made otherwise, or when the work folder belongs to another plan: the differences are
   * named
   */
  static async open(target: string, options: WorkFolderOptions): Promise<WorkFolder> {
    const full = resolve(target);
    const path = join(dirname(full), `.${basename(full)}.work`);
    const plan = JSON.parse(JSON.stringify(options.plan)) as WorkPlan;
    const identity = createHash("sha256").update(JSON.stringify(plan)).digest("hex").slice(0, 16);
    const doneBefore = async (): Promise<WorkFolder> => {
      // Killed just before the end, or made after another process's end.
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
      return new WorkFolder(full, path, identity, options.note ?? {}, true, options);
    };
    if (await lstat(full).catch(() => undefined)) {
      if (await options.isMadeFrom(full, identity)) return doneBefore();
      await refuseExisting(full, options);
    }
    try {
      for (const folder of ["units", "tmp", "store"]) await mkdir(join(path, folder), { recursive: true });
      const note = await sharePlan(path, full, { plan, note: options.note ?? {} });
      if (await options.isMadeFrom(full, identity).catch(() => false)) return await doneBefore();
      const work = new WorkFolder(full, path, identity, note, false, options);
      await work.#readJournal();
      return work;
    } catch (error) {
      throw toStorageError(error, full);
    }
  }

  /** A name for a file that is not finished, different in every process. */
  temporaryName(): string {
    return join(this.temporaries, randomBytes(8).toString("hex"));
  }

  /** Whether a unit was finished by the time the folder was opened, or since by this process. */
  isFinished(unit: number): boolean {
    return this.isComplete || this.#finished.has(unit);
  }

  /** Notes that a unit is on the disk. */
  async finish(unit: number): Promise<void> {
    if (this.isFinished(unit)) return;
    try {
      await atomicWrite(join(this.#units, String(unit)), "");
    } catch (error) {
      if (await this.isDoneByOthers()) return;
      throw error;
    }
    this.#finished.add(unit);
  }

  /** How many units are finished, by all processes; fewer than that while another process tidies up: see `isDoneByOthers`. */
  async countFinished(): Promise<number> {
    await this.#readJournal().catch((error: unknown) => {
      throw toStorageError(error, this.target);
    });
    return this.#finished.size;
  }

  /** True when another process has given the output its final name: asked when something fails. */
  async isDoneByOthers(): Promise<boolean> {
    if (!(await lstat(this.target).catch(() => undefined))) return false;
    const isGone = !(await lstat(join(this.path, "plan.json")).catch(() => undefined));
    return isGone || (await this.options.isMadeFrom(this.target, this.identity).catch(() => false));
  }

  /** Gives the finished output (`store`, or a file made elsewhere in the work folder) its final name and removes the rest. */
  async complete(from = this.store): Promise<string> {
    try {
      await moveToFinalName(from, this.target, this.options);
    } catch (error) {
      // Two processes came to the end at the same time, with the same files.
      if (!(await this.isDoneByOthers())) throw error;
    }
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
    return this.target;
  }

  async #readJournal(): Promise<void> {
    for (const name of await readdir(this.#units)) if (/^\d+$/.test(name)) this.#finished.add(Number(name));
  }
}

interface PlanFile {
  readonly plan: WorkPlan;
  readonly note: Readonly<Record<string, string>>;
}

/** Writes the plan if nobody has; else compares. Returns the note of whoever wrote it. */
async function sharePlan(path: string, target: string, mine: PlanFile): Promise<PlanFile["note"]> {
  const file = join(path, "plan.json");
  const temporary = join(path, "tmp", `plan-${randomBytes(8).toString("hex")}`);
  await atomicWrite(temporary, JSON.stringify(mine, null, 1));
  try {
    await link(temporary, file);
    await syncEntry(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") await withoutLinks(file, mine, error);
  } finally {
    await rm(temporary, { force: true });
  }
  const theirs = await readPlan(file, path);
  const differences = planDifferences(theirs.plan, mine.plan);
  if (differences.length === 0) return theirs.note;
  throw new UsageError(`${target} was begun with other settings: ${differences.slice(0, 4).join("; ")}`, {
    where: path,
    hint: "repeat the command as it was, give another name for the output, or remove that folder to begin anew",
  });
}

/** Some network disks have no links. */
async function withoutLinks(file: string, mine: PlanFile, reason: unknown): Promise<void> {
  const { code } = reason as NodeJS.ErrnoException;
  if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "ENOSYS") throw reason;
  try {
    const handle = await open(file, "wx");
    await handle.writeFile(JSON.stringify(mine, null, 1));
    await handle.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

async function readPlan(file: string, path: string): Promise<PlanFile> {
  const text = await readFile(file, "utf8");
  try {
    const { plan, note } = JSON.parse(text) as Partial<PlanFile>;
    if (plan && note) return { plan, note };
  } catch {
    // said below
  }
  throw new StorageError(`${file} is damaged`, { hint: `remove ${path} to begin anew` });
}

/** `members: 8 there, 16 here`, for every key of the plan that differs. */
export function planDifferences(theirs: WorkPlan, mine: WorkPlan): string[] {
  const text = (value: unknown): string => {
    const json = value === undefined ? "nothing" : typeof value === "string" ? value : JSON.stringify(value);
    return json.length > 60 ? `${json.slice(0, 57)}…` : json;
  };
  return [...new Set([...Object.keys(theirs), ...Object.keys(mine)])]
    .filter((key) => JSON.stringify(theirs[key]) !== JSON.stringify(mine[key]))
    .map((key) => `${key}: ${text(theirs[key])} there, ${text(mine[key])} here`);
}
