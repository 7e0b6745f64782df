// The environment variables that Foehn knows, in one place: what each is for, its older name where py4cast has one, and which
// wins. Ours goes over the older name; a flag or a configuration file goes over both. Only names are here, no policy.

import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** One environment variable. */
export interface EnvironmentVariable {
  readonly name: string;
  /** The name that py4cast reads; ours wins where both are set. */
  readonly olderName?: string;
  readonly meaning: string;
  /** Its value is for servers only, never shown. */
  readonly isSecret?: boolean;
}

/** All of them, in the order in which `foehn doctor` shows them. */
export const environmentVariables: readonly EnvironmentVariable[] = [
  {
    name: "FOEHN_ROOTDIR",
    olderName: "PY4CAST_ROOTDIR",
    meaning: "where runs go (its folder runs) and caches (cache)",
  },
  {
    name: "FOEHN_CACHE",
    meaning: "where everything that can be made or fetched again is kept; over the root folder's cache",
  },
  { name: "FOEHN_DATA_CACHE", meaning: "where remote data are kept; over FOEHN_CACHE and the system's cache folder" },
  {
    name: "FOEHN_DATA_CACHE_SIZE",
    meaning: "how large that may become, such as 500MB (default 20GB; 0 keeps nothing)",
  },
  { name: "FOEHN_OFFLINE", meaning: "1: nothing is fetched; what was fetched before is used" },
  { name: "FOEHN_GFS_URL", meaning: "server of gfs: sources, laid out as NOAA's bucket" },
  { name: "FOEHN_ECMWF_URL", meaning: "server of ecmwf: sources, laid out as ECMWF's open data" },
  { name: "FOEHN_TITAN_PATH", olderName: "PY4CAST_TITAN_PATH", meaning: "root folder of the dataset titan" },
  { name: "FOEHN_SMEAGOL_PATH", olderName: "PY4CAST_SMEAGOL_PATH", meaning: "root folder of the dataset smeagol" },
  { name: "FOEHN_ECCODES", meaning: "file of the ecCodes library, for GRIB" },
  { name: "LIBTORCH", meaning: "folder of libtorch, when the addon is built" },
  { name: "MODEL_REGISTRY", meaning: "folder or address under which bare package names are looked up" },
  {
    name: "FOEHN_MODEL_CACHE",
    meaning: "where packages of other machines are kept; over FOEHN_CACHE and the system's",
  },
  { name: "FOEHN_CACHE_READONLY", meaning: "caches of packages that are read and never written, such as a site's" },
  { name: "FOEHN_HTTP_TIMEOUT", meaning: "seconds of silence after which a server is given up (default 60)" },
  { name: "HF_TOKEN", meaning: "token of the Hugging Face Hub", isSecret: true },
  { name: "HF_ENDPOINT", meaning: "another Hugging Face Hub, such as a mirror" },
  { name: "NGC_CLI_API_KEY", meaning: "API key of NVIDIA's NGC, for private models", isSecret: true },
  {
    name: "AWS_ACCESS_KEY_ID",
    meaning: "key of an S3 service; with AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
    isSecret: true,
  },
  { name: "AWS_PROFILE", meaning: "profile of the AWS configuration files whose keys are taken" },
  {
    name: "AWS_ENDPOINT_URL_S3",
    olderName: "S3_ENDPOINT",
    meaning: "another S3 service than Amazon's; AWS_ENDPOINT_URL works too",
  },
];

/** A variable that is set. */
export interface EnvironmentValue {
  readonly name: string;
  /** The name that gave the value: `name` or its older name. */
  readonly from: string;
  readonly value: string;
  /** Its value must not be shown. */
  readonly isSecret?: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The value of a variable under its own or its older name; empty counts as not set. */
export function environmentValue(name: string, environment: Environment = process.env): EnvironmentValue | undefined {
  const known = environmentVariables.find((v) => v.name === name);
  for (const from of [name, known?.olderName]) {
    const value = from === undefined ? undefined : environment[from];
    if (from !== undefined && value) return { name, from, value, ...(known?.isSecret ? { isSecret: true } : {}) };
  }
  return undefined;
}

/** Every variable of the list that is set. */
export function environmentValues(environment: Environment = process.env): EnvironmentValue[] {
  return environmentVariables.flatMap(({ name }) => environmentValue(name, environment) ?? []);
}

/** The path in a variable's value; `~` is the home folder. */
export function environmentFolder(name: string, environment: Environment): string | undefined {
  return environmentValue(name, environment)?.value.replace(/^~(?=$|[\\/])/, homedir());
}

/** Folder of run folders when none is named: `$FOEHN_ROOTDIR/runs`, else `runs` in the working directory. */
export function defaultRunsDir(environment: Environment = process.env): string {
  const root = environmentFolder("FOEHN_ROOTDIR", environment);
  return root === undefined ? "runs" : join(root, "runs");
}

/** Root folder of a dataset that lives outside of configuration files, such as `titan`; absolute. */
export function datasetRoot(name: string, environment: Environment = process.env): string | undefined {
  const path = environmentFolder(`FOEHN_${name.toUpperCase()}_PATH`, environment);
  return path === undefined || isAbsolute(path) ? path : join(process.cwd(), path);
}

/** True when `FOEHN_OFFLINE` asks for no network: 1, true, yes or on. */
export function isOffline(environment: Environment = process.env): boolean {
  return /^(1|true|yes|on)$/i.test(environment.FOEHN_OFFLINE ?? "");
}
