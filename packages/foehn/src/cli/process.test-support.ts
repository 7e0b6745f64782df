// For tests of the command line: run it in this process, or as a process of its own.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { main } from "./main.js";

/** What a command printed and how it ended. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process. */
export async function runHere(...argv: string[]): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const status = await main(argv, {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  });
  return { status, stdout, stderr };
}

/** The command as it is installed. */
export const foehn = fileURLToPath(new URL("../../bin/foehn.mjs", import.meta.url));

/**
 * Runs the installed command.
 * @param onStderr called with everything on stderr so far; may send a signal
 */
export function runProcess(
  argv: readonly string[],
  options: {
    readonly cwd?: string;
    readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [foehn, ...argv], {
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => {
      stderr += data;
      options.onStderr?.(stderr, (signal) => child.kill(signal));
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}
