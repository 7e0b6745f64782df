// What Foehn needs from the system, how to find out whether it is there, and what to tell someone who cannot install it by apt.
// Everything that touches the machine comes in through a `probe`, so that tests can describe a machine.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** The oldest libtorch the native addon compiles against. */
const oldestLibtorch = [1, 13];

/**
 * The machine as the checks see it.
 * @typedef {object} Probe
 * @property {NodeJS.Platform} platform
 * @property {Readonly<Record<string, string | undefined>>} env
 * @property {(file: string) => string | undefined} read the text of a file; undefined when there is none
 * @property {(file: string) => boolean} exists
 * @property {(command: string, args: readonly string[]) => string | undefined} run its stdout; undefined when it failed
 */

/** @returns {Probe} this machine */
export function thisMachine() {
  return {
    platform: process.platform,
    env: process.env,
    exists: existsSync,
    read: (file) => {
      try {
        return readFileSync(file, "utf8");
      } catch {
        return undefined;
      }
    },
    run: (command, args) => {
      const result = spawnSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      return result.status === 0 ? result.stdout : undefined;
    },
  };
}

/** What there is to need, with the names it has in each package manager. `apt` lists names in order of preference. */
export const needs = {
  compiler: { what: "a C++ compiler", apt: ["g++"], dnf: "gcc-c++", brew: "", conda: "cxx-compiler" },
  cmake: { what: "CMake", apt: ["cmake"], dnf: "cmake", brew: "cmake", conda: "cmake" },
  ninja: { what: "Ninja", apt: ["ninja-build"], dnf: "ninja-build", brew: "ninja", conda: "ninja" },
  libtorch: { what: "libtorch", apt: ["libtorch-dev"], dnf: "python3-torch-devel", brew: "pytorch", conda: "libtorch" },
  eccodes: {
    what: "ecCodes",
    apt: ["libeccodes0", "libeccodes0t64", "libeccodes-dev"],
    dnf: "eccodes",
    brew: "eccodes",
    conda: "eccodes",
  },
};

/**
 * @param {Probe} probe
 * @returns {(keyof typeof needs)[]} what is missing
 */
export function missingNeeds(probe) {
  const missing = [];
  const compilers = [probe.env.CXX, "c++", "g++", "clang++"].filter(Boolean);
  if (!compilers.some((c) => probe.run(c, ["--version"]) !== undefined)) missing.push("compiler");
  if (probe.run("cmake", ["--version"]) === undefined) missing.push("cmake");
  if (probe.run("ninja", ["--version"]) === undefined) missing.push("ninja");
  if (!probe.env.LIBTORCH && !libtorchInclude(probe)) missing.push("libtorch");
  if (!hasEccodes(probe)) missing.push("eccodes");
  return missing;
}

/** @param {Probe} probe the include folder of libtorch, where `packages/torch` will look for it too */
function libtorchInclude(probe) {
  const prefixes = probe.env.LIBTORCH
    ? [probe.env.LIBTORCH]
    : ["/usr", "/usr/local", "/opt/homebrew", ...(probe.env.CMAKE_PREFIX_PATH ?? "").split(path.delimiter)];
  return prefixes
    .filter(Boolean)
    .map((prefix) => path.join(prefix, "include"))
    .find((include) => probe.exists(path.join(include, "torch/csrc/api/include/torch/version.h")));
}

/**
 * What is wrong with the libtorch that would be used, as a sentence; undefined when it will do.
 * @param {Probe} probe
 */
export function libtorchProblem(probe) {
  const include = libtorchInclude(probe);
  if (!include) {
    if (!probe.env.LIBTORCH) return "there is no libtorch";
    return `LIBTORCH=${probe.env.LIBTORCH} has no include/torch/csrc/api/include/torch/version.h; it must name a libtorch folder, or the torch folder of a Python installation`;
  }
  // From 2.9 on the numbers are in the second file.
  const text = ["torch/csrc/api/include/torch/version.h", "torch/headeronly/version.h"]
    .map((file) => probe.read(path.join(include, file)) ?? "")
    .join("\n");
  const number = (name) => Number(new RegExp(`define TORCH_VERSION_${name} (\\d+)`).exec(text)?.[1] ?? Number.NaN);
  const [major, minor] = [number("MAJOR"), number("MINOR")];
  const tooOld = major < oldestLibtorch[0] || (major === oldestLibtorch[0] && minor < oldestLibtorch[1]);
  return tooOld
    ? `libtorch ${major}.${minor} in ${include} is too old; Foehn needs ${oldestLibtorch.join(".")} or newer`
    : undefined;
}

/** @param {Probe} probe */
function hasEccodes(probe) {
  if (probe.env.FOEHN_ECCODES) return probe.exists(probe.env.FOEHN_ECCODES);
  const mac = probe.platform === "darwin";
  const folders = mac
    ? ["/opt/homebrew/lib", "/usr/local/lib"]
    : [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/lib",
        "/usr/local/lib64",
      ];
  if (probe.env.CONDA_PREFIX) folders.push(path.join(probe.env.CONDA_PREFIX, "lib"));
  folders.push(...(probe.env.LD_LIBRARY_PATH ?? "").split(path.delimiter).filter(Boolean));
  const files = mac ? ["libeccodes.dylib"] : ["libeccodes.so.0", "libeccodes.so"];
  if (folders.some((folder) => files.some((file) => probe.exists(path.join(folder, file))))) return true;
  const cache = mac ? undefined : (probe.run("ldconfig", ["-p"]) ?? probe.run("/sbin/ldconfig", ["-p"]));
  return cache?.includes("libeccodes.so") ?? false;
}

/**
 * How apt can be run here: directly (root), through sudo without a password, or not at all.
 * @param {Probe} probe
 * @param {boolean} isRoot
 * @returns {string[] | undefined} the words to put before `apt-get`
 */
export function aptPrefix(probe, isRoot) {
  if (probe.run("apt-get", ["--version"]) === undefined) return undefined;
  if (isRoot) return [];
  return probe.run("sudo", ["-n", "true"]) === undefined ? undefined : ["sudo", "-n"];
}

/**
 * The one message for those whose machine we cannot or may not change.
 * @param {readonly (keyof typeof needs)[]} missing
 * @param {string} why what was tried, or why nothing was
 */
export function advice(missing, why) {
  const names = (manager) =>
    missing
      .map((need) => [needs[need][manager]].flat()[0])
      .filter(Boolean)
      .join(" ");
  const what = missing.map((need) => needs[need].what);
  const list = what.length > 1 ? `${what.slice(0, -1).join(", ")} and ${what.at(-1)}` : what[0];
  const lines = [
    `Foehn needs ${list}, which this machine does not have. ${why}`,
    "Install with the one that fits, then run the same command again:",
    "",
    `  Debian, Ubuntu   sudo apt-get update && sudo apt-get install -y --no-install-recommends ${names("apt")}`,
    `  Fedora, RHEL     sudo dnf install -y ${names("dnf")}`,
    ...(names("brew") === "" && missing.includes("compiler")
      ? ["  macOS            xcode-select --install"]
      : [
          `  macOS            ${missing.includes("compiler") ? "xcode-select --install; " : ""}brew install ${names("brew")}`,
        ]),
    `  conda            conda install -c conda-forge ${names("conda")}`,
  ];
  if (missing.includes("libtorch")) {
    lines.push(
      "",
      "Only on Debian and Ubuntu is libtorch found by itself. Elsewhere, set LIBTORCH to the folder with its include/ and lib/:",
    );
    lines.push(...otherLibtorch);
  }
  return lines.join("\n");
}

/** Where a libtorch may come from, other than apt. */
const otherLibtorch = [
  "  conda            export LIBTORCH=$CONDA_PREFIX",
  "  macOS (brew)     export LIBTORCH=$(brew --prefix pytorch)",
  "  Python's torch   export LIBTORCH=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')",
  "  downloaded       export LIBTORCH=/path/to/libtorch    (https://pytorch.org/get-started/locally, LibTorch, C++)",
];

/**
 * The message for a libtorch that will not do.
 * @param {string} problem what `libtorchProblem` said
 */
export function libtorchAdvice(problem) {
  return [`${problem}. Set LIBTORCH to another one, or unset it to use the system's:`, ...otherLibtorch].join("\n");
}
