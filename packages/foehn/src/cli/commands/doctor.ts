// foehn doctor: what this machine has, what is missing, and what to do about it. Never fails because something is missing:
// it says so, and the exit status is 1 only when Foehn cannot work at all.

import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { environmentValues, environmentVariables } from "../../core/environment.js";
import { ModelError } from "../../core/errors.js";
import { table } from "../io.js";
import type { DefineVerb } from "../verb.js";

/** One line of the examination. */
interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** What there is, or why there is nothing. */
  readonly found: string;
  /** What to do, where something is missing. */
  readonly advice?: string;
  /** The same for machines. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Foehn is useless without it. */
  readonly required?: boolean;
}

/** foehn doctor */
export const define: DefineVerb = (command, run) => {
  command
    .addHelpText(
      "after",
      `
Looks at: Node, libtorch, processor and GPU, ecCodes (GRIB), h5wasm (NetCDF-4), memory and disk, and at these
environment variables (a flag or a configuration file goes over them):
${table(environmentVariables.map((v) => [`  ${v.name}`, v.olderName === undefined ? v.meaning : `${v.meaning} (or ${v.olderName})`]))}
`,
    )
    .action(
      run(async (console) => {
        const findings = [
          nodeVersion(),
          await engine(),
          await processor(),
          await gpu(),
          await grib(),
          await netcdf(),
          memory(),
          await disk(),
          ...environment(),
        ];
        const rows = findings.map((f) => [f.ok ? "ok" : f.required ? "MISSING" : "-", f.name, f.found]);
        const advice = findings.filter((f) => f.advice !== undefined).map((f) => `${f.name}: ${f.advice}`);
        const value = Object.fromEntries(
          findings.map((f) => [
            f.name,
            { ok: f.ok, found: f.found, ...(f.advice ? { advice: f.advice } : {}), ...f.details },
          ]),
        );
        console.result(
          value,
          `${table(rows)}${advice.length > 0 ? `\n\nWhat to do:\n${advice.map((a) => `  ${a}`).join("\n")}` : ""}`,
        );
        const fatal = findings.filter((f) => f.required && !f.ok);
        if (fatal.length > 0) {
          throw new ModelError(`Foehn cannot work here without ${fatal.map((f) => f.name).join(" and ")}`, {
            hint: "see above for what to do",
          });
        }
      }),
    );
};

const messageOf = (err: unknown): string => (err instanceof Error ? err.message : String(err)).split("\n")[0]!;

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return {
    name: "node",
    ok,
    required: true,
    found: `${process.versions.node} (${process.platform} ${process.arch})`,
    ...(ok ? {} : { advice: "Foehn needs Node 20.19 or newer: https://nodejs.org" }),
    details: { version: process.versions.node, platform: process.platform, arch: process.arch },
  };
}

async function engine(): Promise<Finding> {
  try {
    const torch = await import("@foehn/torch");
    const { details: _, ...version } = torch.version();
    const threads = (await import("../../training/threads.js")).useThreads(null); // as training and forecasts do
    // One real operation: a library that loads may still not compute.
    const works = torch.scope(() => torch.ones([2, 2]).sum().item()) === 4;
    return {
      name: "libtorch",
      ok: works,
      required: true,
      found: `${version.libtorch}, ${version.operators} operators, ${version.mkldnn ? "oneDNN" : "no oneDNN"}, ${threads} thread${threads === 1 ? "" : "s"}`,
      ...(works ? {} : { advice: "libtorch computes wrong results; build the addon again: npm run setup" }),
      details: { ...version, threads },
    };
  } catch (err) {
    return {
      name: "libtorch",
      ok: false,
      required: true,
      found: messageOf(err),
      advice:
        "run npm run setup, which installs libtorch and builds the addon; LIBTORCH=/path/to/libtorch names another one",
    };
  }
}

async function processor(): Promise<Finding> {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const cores = cpus().length;
  try {
    const torch = await import("@foehn/torch");
    const flags = torch.cpuCapabilities();
    const has = [flags.amxBf16 && "AMX", flags.bf16 && "bf16", flags.avx512 && "AVX-512", flags.avx2 && "AVX2"].filter(
      Boolean,
    );
    return {
      name: "processor",
      ok: true,
      found: `${model}, ${cores} cores, ${has.length > 0 ? has.join(", ") : "no vector extensions"}; default precision ${flags.bf16 ? "bf16-mixed" : "fp32"}`,
      details: { model, cores, ...flags },
    };
  } catch {
    return { name: "processor", ok: true, found: `${model}, ${cores} cores`, details: { model, cores } };
  }
}

async function gpu(): Promise<Finding> {
  try {
    const torch = await import("@foehn/torch");
    const { cuda } = torch.version();
    const devices = torch.cuda.isAvailable() ? torch.cuda.deviceCount() : 0;
    if (devices > 0) {
      return {
        name: "cuda",
        ok: true,
        found: `CUDA ${cuda}, ${devices} device${devices === 1 ? "" : "s"}`,
        details: { version: cuda, devices },
      };
    }
    return {
      name: "cuda",
      ok: false,
      found:
        cuda === null
          ? "this libtorch is built without CUDA; everything runs on the processor"
          : `CUDA ${cuda}, but no device`,
      ...(cuda === null ? {} : { advice: "check the driver with nvidia-smi" }),
      details: { version: cuda, devices },
    };
  } catch {
    return { name: "cuda", ok: false, found: "unknown without libtorch", details: { devices: 0 } };
  }
}

async function grib(): Promise<Finding> {
  try {
    const { version, path } = (await import("../../io/grib/eccodes.js")).eccodesLibrary();
    return { name: "ecCodes", ok: true, found: `${version} (${path})`, details: { version, path } };
  } catch (err) {
    return {
      name: "ecCodes",
      ok: false,
      found: messageOf(err),
      advice:
        "GRIB files need it: apt install libeccodes0 · dnf install eccodes · brew install eccodes · conda install -c conda-forge eccodes",
    };
  }
}

async function netcdf(): Promise<Finding> {
  try {
    const { default: h5wasm } = await import("h5wasm/node");
    await h5wasm.ready;
    const version = versionOf("h5wasm", "h5wasm/node");
    return { name: "NetCDF-4", ok: true, found: `h5wasm ${version}`, details: { version } };
  } catch (err) {
    return { name: "NetCDF-4", ok: false, found: messageOf(err), advice: "run npm ci in Foehn's folder" };
  }
}

/** The version of an installed package, which need not export its package.json; `entry` is a module that it does export. */
function versionOf(name: string, entry: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.resolve(entry))); ; folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file)) {
      const manifest = JSON.parse(readFileSync(file, "utf8")) as { readonly name?: string; readonly version?: string };
      if (manifest.name === name && manifest.version !== undefined) return manifest.version;
    }
    if (folder === dirname(folder)) return "of unknown version";
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function memory(): Finding {
  // In a container the limit is that of the container, not of the machine.
  const limit = process.constrainedMemory?.() ?? 0;
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const ok = total >= 2 * 2 ** 30;
  return {
    name: "memory",
    ok,
    found: gigabytes(total),
    ...(ok ? {} : { advice: "2 GiB or more are needed to train; use small batches" }),
    details: { bytes: total },
  };
}

async function disk(): Promise<Finding> {
  const { bavail, bsize } = await statfs(process.cwd());
  const free = bavail * bsize;
  const ok = free >= 2 ** 30;
  return {
    name: "disk",
    ok,
    found: `${gigabytes(free)} free in ${process.cwd()}`,
    ...(ok ? {} : { advice: "less than 1 GiB is free here: runs and forecasts may not fit" }),
    details: { free_bytes: free },
  };
}

/** The environment variables that are set; a folder that is not there is worth a word. */
function environment(): Finding[] {
  return environmentValues().map(({ name, from, value: actual, isSecret }) => {
    const value = isSecret ? "is set" : actual;
    const isPath = /(_PATH|_ROOTDIR)$/.test(name);
    const ok = !isPath || name.endsWith("_ROOTDIR") || existsSync(value);
    return {
      name: from,
      ok,
      found: from === name ? value : `${value} (read as ${name})`,
      ...(ok ? {} : { advice: `the folder ${value} does not exist` }),
      details: { value, meaning: name },
    };
  });
}
