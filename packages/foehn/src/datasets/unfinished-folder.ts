// A folder that a conversion writes into until it is whole. What an interrupted one left there is used again, but only by the same
// conversion: files of other fields, times or precision under the same names would be taken for the wrong ones.

import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";

const planFile = "plan.json";

/** `<path>.partial`, and what it is to become. */
export class UnfinishedFolder {
  private constructor(
    readonly target: string,
    /** Where to write. */
    readonly path: string,
  ) {}

  /**
   * Makes the folder, or takes up the one that is there.
   * @param plan everything that decides what its files hold, plain JSON
   * @throws UsageError when it is there with another plan
   */
  static async open(target: string, plan: unknown): Promise<UnfinishedFolder> {
    const path = `${target}.partial`;
    await mkdir(path, { recursive: true });
    const file = join(path, planFile);
    const text = JSON.stringify(plan);
    if (!existsSync(file)) await atomicWrite(file, text);
    else if ((await readFile(file, "utf8")) !== text) {
      throw new UsageError(`${path} holds an unfinished conversion of other fields, times or precision`, {
        hint: "remove that folder to begin anew, or convert as before to finish it",
      });
    }
    return new UnfinishedFolder(target, path);
  }

  /** Gives it its final name. */
  async finish(): Promise<void> {
    await rm(join(this.path, planFile), { force: true });
    await rename(this.path, this.target);
  }
}
