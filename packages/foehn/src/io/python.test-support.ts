// For tests only: runs a snippet in the Python that has xarray and friends, or says why it cannot.
// FOEHN_TEST_PYTHON names another interpreter than Debian's.

import { execFileSync } from "node:child_process";

const interpreter = process.env.FOEHN_TEST_PYTHON ?? "/usr/bin/python3";

/** The reason why these Python modules cannot be used here, or undefined when they can. */
export function pythonLacks(...modules: string[]): string | undefined {
  for (const module of modules) {
    try {
      execFileSync(interpreter, ["-c", `import ${module}`], { stdio: "pipe", timeout: 30_000 });
    } catch {
      return `${interpreter} has no module ${module}`;
    }
  }
  return undefined;
}

/** Runs a script (text) with arguments and returns the JSON that it prints last. */
export function runPython(script: string, ...args: string[]): unknown {
  const out = execFileSync(interpreter, ["-W", "ignore", "-c", script, ...args], {
    encoding: "utf8",
    timeout: 50_000,
    maxBuffer: 64 << 20,
  });
  return JSON.parse(out.trim().split("\n").at(-1)!);
}

/** Runs a script file with arguments and returns the JSON that it prints last. */
export function runPythonFile(file: string, ...args: string[]): unknown {
  const out = execFileSync(interpreter, ["-W", "ignore", file, ...args], {
    encoding: "utf8",
    timeout: 50_000,
    maxBuffer: 64 << 20,
  });
  return JSON.parse(out.trim().split("\n").at(-1)!);
}
