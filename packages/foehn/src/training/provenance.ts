// Where a run comes from: versions, machine, code state. Goes into the run folder and, from there, into packages.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, availableParallelism, platform } from "node:os";
import * as torch from "@foehn/torch";
import { formatTime } from "../core/time.js";

/** Plain JSON. */
export interface Provenance {
  readonly run: string;
  readonly created: string;
  readonly foehn_version: string;
  readonly node_version: string;
  readonly libtorch_version: string;
  readonly platform: string;
  readonly device: string;
  readonly precision: string;
  readonly threads: number;
  readonly cpus: number;
  /** The repository of the working directory, or null outside of one. */
  readonly git: { readonly commit: string; readonly branch: string; readonly is_dirty: boolean } | null;
}

/** Collects it. @param now epoch seconds */
export function collectProvenance(run: string, now: number, device: string, precision: string): Provenance {
  return {
    run,
    created: formatTime(now),
    foehn_version: foehnVersion(),
    node_version: process.version,
    libtorch_version: torch.version().libtorch,
    platform: `${platform()}-${arch()}`,
    device,
    precision,
    threads: torch.getNumThreads(),
    cpus: availableParallelism(),
    git: gitState(process.cwd()),
  };
}

/** Version of this package. */
export function foehnVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** Commit, branch and whether tracked files differ from it; null without git or outside a repository. */
export function gitState(directory: string): Provenance["git"] {
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: directory,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 5000,
    }).trim();
  try {
    return {
      commit: git("rev-parse", "HEAD"),
      branch: git("rev-parse", "--abbrev-ref", "HEAD"),
      is_dirty: git("status", "--porcelain", "--untracked-files=no") !== "",
    };
  } catch {
    return null;
  }
}
