// foehn package pull and list: bring packages here, and see what is here. The work is in hub/.

import { withInterrupt } from "../../../core/interrupt.js";
import { formatTime } from "../../../core/time.js";
import { type Console, table } from "../../io.js";
import { formatBytes } from "../../sizes.js";
import type { DefineVerb } from "../../verb.js";
import { packageHelp } from "./store-verbs.js";

interface PullFlags {
  readonly file?: string[];
  readonly refresh?: boolean;
  readonly lock?: string;
}

/** Adds the sub-verbs to `foehn package`. */
export const defineFetchVerbs: DefineVerb = (command, run) => {
  command
    .command("pull")
    .description("Bring packages into the cache, every file checked; what is there already is not brought again.")
    .argument("<package...>", packageHelp)
    .option("--file <path>", "only this file or folder of the package; may be repeated", (path, all: string[] = []) => [
      ...all,
      path,
    ])
    .option("--refresh", "ask the server for new versions, also when it was asked today")
    .option("--lock <file>", "lock file to be held to (default: foehn.lock.json, if there)")
    .addHelpText(
      "after",
      "\nExample:\n  foehn package pull hf://nvidia/fourcastnet1\n\nNothing of a package is run. FOEHN_MODEL_CACHE names another place for the cache; tokens come from HF_TOKEN, NGC_CLI_API_KEY,\nAWS_ACCESS_KEY_ID or AWS_PROFILE.\n",
    )
    .action(
      run((console, flags: PullFlags, uris: string[]) =>
        withInterrupt((signal) => pullAll(console, flags, uris, signal)),
      ),
    );
  command
    .command("list")
    .description("List the packages in the cache, most recently used first, and those in MODEL_REGISTRY.")
    .option("--files", "each file with its path")
    .action(run((console, flags: { readonly files?: boolean }) => list(console, flags.files === true)));
};

async function pullAll(console: Console, flags: PullFlags, uris: string[], signal: AbortSignal): Promise<void> {
  const { pull } = await import("../../../hub/pull.js");
  const { file: files, refresh, lock } = flags;
  const pulled = [];
  for (const uri of uris) {
    pulled.push(await pull(uri, { files, refresh, lock, signal, progress: console.progress() }));
  }
  const rows = pulled.map(({ uri, revision, files: all }) => [
    uri,
    revision?.slice(0, 12) ?? "",
    `${all.length} file${all.length === 1 ? "" : "s"}`,
    formatBytes(all.reduce((sum, { size }) => sum + size, 0)),
  ]);
  console.result(pulled, table(rows));
}

async function list(console: Console, withFiles: boolean): Promise<void> {
  const [{ listCached }, { listRegistry }, { modelCacheFolder }] = await Promise.all([
    import("../../../hub/cache/maintenance.js"),
    import("../../../hub/registry.js"),
    import("../../../hub/cache/place.js"),
  ]);
  const cached = await listCached();
  const registry = await listRegistry();
  const rows = cached.flatMap(({ package: name, files, bytes, lastUsed }) => [
    [name, `${files.length} file${files.length === 1 ? "" : "s"}`, formatBytes(bytes), `used ${formatTime(lastUsed)}`],
    ...(withFiles ? files.map(({ path, size, local }) => [`  ${path}`, "", formatBytes(size), local]) : []),
  ]);
  const lines = [
    cached.length === 0 ? `nothing is in the cache ${modelCacheFolder()}` : table(rows),
    ...(registry === undefined ? [] : [`in MODEL_REGISTRY: ${registry.join(", ") || "nothing"}`]),
  ];
  console.result({ cache: modelCacheFolder(), cached, registry }, lines.join("\n"));
}
