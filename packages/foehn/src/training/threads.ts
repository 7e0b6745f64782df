// How many threads one operator uses. libtorch asks a library that miscounts on many virtual machines (one core where there are
// two), which halves the speed of training. Here the count is the processors this process may use, hyper-threads counted once:
// convolutions saturate a core with one thread.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import * as torch from "@foehn/torch";

/**
 * Sets libtorch's number of threads for this process.
 * @param count a number, or null for one per core; `OMP_NUM_THREADS`, where it is set, then stays in force
 * @returns the number in force
 */
export function useThreads(count: number | null): number {
  if (count === null && process.env.OMP_NUM_THREADS !== undefined) return torch.getNumThreads();
  const wanted = count ?? coreCount();
  if (wanted !== torch.getNumThreads()) torch.setNumThreads(wanted);
  return wanted;
}

/** Cores that this process may use. */
export function coreCount(): number {
  return Math.max(1, Math.round(availableParallelism() / threadsPerCore(readCpuInfo())));
}

/** Hyper-threads per core, from the text of /proc/cpuinfo; 1 when it does not say. Exported for its test. */
export function threadsPerCore(cpuInfo: string): number {
  const values = (key: string) =>
    [...cpuInfo.matchAll(new RegExp(`^${key}\\s*:\\s*(\\d+)$`, "gm"))].map((match) => match[1]!);
  const [packages, cores] = [values("physical id"), values("core id")];
  if (cores.length === 0 || packages.length !== cores.length) return 1;
  return cores.length / new Set(cores.map((core, i) => `${packages[i]}.${core}`)).size;
}

function readCpuInfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return ""; // not Linux
  }
}
