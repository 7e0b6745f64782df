// foehn package push, lock, prune, mirror and sanitise: packages between this machine and others. The work is in hub/.

import { withInterrupt } from "../../../core/interrupt.js";
import { formatTime } from "../../../core/time.js";
import { table } from "../../io.js";
import { durationOption, overwriteOption } from "../../options.js";
import { bytesOption, formatBytes } from "../../sizes.js";
import type { DefineVerb } from "../../verb.js";

/** What a package argument may be, for help texts. */
export const packageHelp = "folder, name in MODEL_REGISTRY, or https://, s3://, hf://, ngc:// address";

/** Adds the sub-verbs to `foehn package`. */
export const defineStoreVerbs: DefineVerb = (command, run) => {
  command
    .command("push")
    .description("Copy a package to a folder or an S3 bucket, metadata.json last.")
    .argument("<package>", packageHelp)
    .argument("<address>", "a folder or s3://bucket/path")
    .addOption(overwriteOption())
    .addHelpText(
      "after",
      "\nExample:\n  foehn package push my-model s3://models/my-model\n\nKeys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, another service than AWS from AWS_ENDPOINT_URL.\n",
    )
    .action(
      run(async (console, flags: { readonly overwrite?: boolean }, name: string, target: string) => {
        const { push } = await import("../../../hub/push.js");
        const { overwrite } = flags;
        const done = await withInterrupt((signal) =>
          push(name, target, { overwrite, signal, progress: console.progress() }),
        );
        console.result(done, `pushed ${done.files.length} files, ${formatBytes(done.bytes)}, to ${done.uri}`);
      }),
    );
  command
    .command("lock")
    .description(
      "Pin packages: write their revisions and hashes into foehn.lock.json, which every later use is held to.",
    )
    .argument("<package...>", "https://, s3://, hf:// or ngc:// addresses")
    .option("--lock <file>", "the lock file (default: foehn.lock.json)")
    .addHelpText("after", "\nExample:\n  foehn package lock hf://nvidia/fourcastnet1\n")
    .action(
      run(async (console, flags: { readonly lock?: string }, uris: string[]) => {
        const { lockPackages } = await import("../../../hub/pull.js");
        const path = await withInterrupt((signal) =>
          lockPackages(uris, { ...flags, signal, progress: console.progress() }),
        );
        console.result(
          { path, packages: uris },
          `pinned ${uris.length === 1 ? uris[0] : `${uris.length} packages`} in ${path}`,
        );
      }),
    );
  command
    .command("prune")
    .description("Take packages out of the cache. Without options: only what belongs to none any more.")
    .addOption(durationOption("--unused-for <duration>", "files that were not used for so long, such as 30d"))
    .addOption(bytesOption("--max-size <size>", "the least recently used, until at most so much is left, such as 20GB"))
    .option("--package <text>", "packages whose address contains the text")
    .option("--dry-run", "only say what would go")
    .action(run(prune));
  command
    .command("mirror")
    .description("Fill a folder with packages, for machines without a network.")
    .argument("<package...>", "https://, s3://, hf:// or ngc:// addresses")
    .requiredOption("-o, --output <folder>", "the folder; what it has already is kept")
    .addHelpText(
      "after",
      `
Example:
  foehn package mirror hf://nvidia/fourcastnet1 -o mirror
  # on the other machine, with the folder copied there:
  FOEHN_CACHE_READONLY=mirror FOEHN_OFFLINE=1 foehn forecast hf://nvidia/fourcastnet1 …
`,
    )
    .action(
      run(async (console, { output }: { readonly output: string }, uris: string[]) => {
        const { mirror } = await import("../../../hub/mirror.js");
        const done = await withInterrupt((signal) => mirror(uris, output, { signal, progress: console.progress() }));
        const rows = done.packages.map(({ uri, files, bytes }) => [uri, `${files} files`, formatBytes(bytes)]);
        console.result(done, `${table(rows)}\nin ${done.path}; use it with FOEHN_CACHE_READONLY=${done.path}`);
      }),
    );
  command
    .command("sanitise")
    .description("Write a package without code and pickles: checkpoints become safetensors, every file gets a hash.")
    .argument("<package>", packageHelp)
    .requiredOption("-o, --output <folder>", "where the clean package goes")
    .addOption(overwriteOption())
    .addHelpText("after", "\nNothing in the package is run: checkpoints are read as data.\n")
    .action(
      run(async (console, flags: { readonly output: string; readonly overwrite?: boolean }, name: string) => {
        const { Package } = await import("../../../hub/package.js");
        const { sanitisePackage } = await import("../../../hub/sanitise.js");
        const overwrite = flags.overwrite === true;
        const done = await withInterrupt((signal) =>
          sanitisePackage(new Package(name, { signal }), flags.output, { overwrite, signal }),
        );
        const rows = done.files.map(({ path, action, note }) => [action, path, note === undefined ? "" : `(${note})`]);
        console.result(done, `${rows.length > 0 ? `${table(rows)}\n` : ""}wrote ${done.path}`);
      }),
    );
};

interface PruneFlags {
  readonly unusedFor?: number;
  readonly maxSize?: number;
  readonly package?: string;
  readonly dryRun?: boolean;
}

const prune = async (
  console: Parameters<Parameters<Parameters<DefineVerb>[1]>[0]>[0],
  flags: PruneFlags,
): Promise<void> => {
  const { listCached, prune: pruneCache } = await import("../../../hub/cache/maintenance.js");
  const done = await pruneCache({
    unusedFor: flags.unusedFor,
    maxBytes: flags.maxSize,
    package: flags.package,
    dryRun: flags.dryRun,
  });
  const byPackage = new Map<string, number>();
  for (const file of done.removed) byPackage.set(file.package, (byPackage.get(file.package) ?? 0) + 1);
  const rows = [...byPackage].map(([name, files]) => [name, `${files} file${files === 1 ? "" : "s"}`]);
  const left = flags.dryRun ? [] : await listCached();
  const oldest = left.at(-1);
  const rest =
    oldest === undefined
      ? ""
      : `\n${left.length} package${left.length === 1 ? " is" : "s are"} left, the longest unused since ${formatTime(oldest.lastUsed)}`;
  const verb = flags.dryRun ? "would free" : "freed";
  console.result(done, `${rows.length > 0 ? `${table(rows)}\n` : ""}${verb} ${formatBytes(done.bytes)}${rest}`);
};
