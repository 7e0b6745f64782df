// The set-up script's judgement of a machine, on machines that are described rather than had; and the counting of test results.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { countTests } from "../scripts/count-tests.mjs";
import { advice, aptPrefix, libtorchAdvice, libtorchProblem, missingNeeds } from "../scripts/setup/system.mjs";
import { fingerprint, installMatchesLock, isComplete } from "../scripts/setup/workspace.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

interface Machine {
  readonly commands?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly platform?: NodeJS.Platform;
}

const machine = ({ commands = [], files = {}, env = {}, platform = "linux" }: Machine) => ({
  platform,
  env,
  exists: (file: string) => file in files,
  read: (file: string) => files[file],
  run: (command: string, args: readonly string[]) => (commands.includes([command, ...args].join(" ")) ? "" : undefined),
});

const tools = ["c++ --version", "cmake --version", "ninja --version"];
const torchAt = (prefix: string, major: number, minor: number) => ({
  [`${prefix}/include/torch/csrc/api/include/torch/version.h`]: `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n`,
});
const eccodes = { "/usr/lib/x86_64-linux-gnu/libeccodes.so.0": "" };

describe("what a machine is missing", () => {
  it("is everything on a bare one, and nothing on a complete one", () => {
    expect(missingNeeds(machine({}))).toEqual(["compiler", "cmake", "ninja", "libtorch", "eccodes"]);
    expect(missingNeeds(machine({ commands: tools, files: { ...torchAt("/usr", 1, 13), ...eccodes } }))).toEqual([]);
  });

  it("is no libtorch where LIBTORCH names one", () => {
    const own = machine({
      commands: tools,
      files: { ...torchAt("/opt/libtorch", 2, 5), ...eccodes },
      env: { LIBTORCH: "/opt/libtorch" },
    });
    expect(missingNeeds(own)).toEqual([]);
    expect(libtorchProblem(own)).toBeUndefined();
  });

  it("includes a libtorch that is too old or not where LIBTORCH says", () => {
    expect(libtorchProblem(machine({ files: torchAt("/usr", 1, 8) }))).toMatch(/libtorch 1\.8 .* too old.* 1\.13/);
    expect(libtorchProblem(machine({ files: torchAt("/usr", 1, 13) }))).toBeUndefined();
    expect(libtorchProblem(machine({ env: { LIBTORCH: "/nowhere" } }))).toMatch(/LIBTORCH=\/nowhere has no include/);
    const newest = {
      "/usr/include/torch/csrc/api/include/torch/version.h": "#include <torch/headeronly/version.h>",
      "/usr/include/torch/headeronly/version.h": "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 13",
    };
    expect(libtorchProblem(machine({ files: newest }))).toBeUndefined();
  });

  it("is installed by root, by sudo without a password, or not at all", () => {
    const apt = "apt-get --version";
    expect(aptPrefix(machine({ commands: [apt] }), true)).toEqual([]);
    expect(aptPrefix(machine({ commands: [apt, "sudo -n true"] }), false)).toEqual(["sudo", "-n"]);
    expect(aptPrefix(machine({ commands: [apt] }), false)).toBeUndefined();
    expect(aptPrefix(machine({}), true)).toBeUndefined();
  });

  it("comes with the exact command for each package manager, and with LIBTORCH", () => {
    const text = advice(["compiler", "libtorch", "eccodes"], "No apt.");
    expect(text).toContain(
      "Foehn needs a C++ compiler, libtorch and ecCodes, which this machine does not have. No apt.",
    );
    expect(text).toContain("sudo apt-get install -y --no-install-recommends g++ libtorch-dev libeccodes0\n");
    expect(text).toContain("sudo dnf install -y gcc-c++ python3-torch-devel eccodes\n");
    expect(text).toContain("brew install pytorch eccodes\n");
    expect(text).toContain("conda install -c conda-forge cxx-compiler libtorch eccodes\n");
    expect(text).toContain("export LIBTORCH=");
    expect(advice(["cmake"], "")).not.toContain("LIBTORCH");
    expect(libtorchAdvice("libtorch 1.8 is too old")).toMatch(
      /^libtorch 1\.8 is too old\. Set LIBTORCH[\s\S]*\/path\/to\/libtorch/,
    );
  });
});

describe("the state of the working copy", () => {
  it("is recognised: these tests run in one that is set up", () => {
    expect(installMatchesLock(root)).toBe(true);
    expect(installMatchesLock(`${root}/test`)).toBe(false);
    expect(isComplete(root, "another state")).toBe(false);
    expect(fingerprint(root, {})).toBe(fingerprint(root, {}));
    expect(fingerprint(root, {})).not.toBe(fingerprint(root, { LIBTORCH: "/opt/libtorch" }));
  });

  it("is checked in less than a second when nothing has changed", ({ skip }) => {
    if (!isComplete(root)) skip("sources have changed since the last set-up");
    const started = performance.now();
    const result = spawnSync(process.execPath, [`${root}/scripts/setup.mjs`], { encoding: "utf8" });
    expect(result.stdout).toMatch(/^set-up: complete \(checked in \d+ ms\)\n$/);
    expect(result.status).toBe(0);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it("is not touched on a machine that cannot be set up: one message, exit status 1", ({ skip }) => {
    if (process.platform !== "linux" || !existsSync("/bin/sh")) skip("needs Linux");
    // No compiler and no apt on the PATH; LIBTORCH changes, so that the set-up is not complete.
    const env = { PATH: "/nonexistent", LIBTORCH: "/nonexistent/libtorch" };
    const result = spawnSync(process.execPath, [`${root}/scripts/setup.mjs`], { encoding: "utf8", env });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("sudo apt-get install -y");
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });
});

describe("counting test results", () => {
  const text = (files: string, tests: string) =>
    `\u001b[32m ✓\u001b[39m a.test.ts\n\n Test Files  ${files}\n      Tests  ${tests}\n   Start at  10:00:00\n   Duration  3s\n`;

  it("reads vitest's closing lines", () => {
    expect(countTests(text("8 passed (8)", "156 passed (156)"))).toEqual({ passed: 156, failed: 0, skipped: 0 });
    expect(countTests(text("1 failed | 7 passed (8)", "2 failed | 150 passed | 4 skipped | 1 todo (157)"), 1)).toEqual({
      passed: 150,
      failed: 2,
      skipped: 5,
    });
  });

  it("counts a file that could not be loaded, and a run that broke off, as failures", () => {
    expect(countTests(text("1 failed | 7 passed (8)", "150 passed (150)"), 1).failed).toBe(1);
    expect(countTests("set-up failed", 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(countTests("killed", 0).failed).toBe(1);
  });
});
