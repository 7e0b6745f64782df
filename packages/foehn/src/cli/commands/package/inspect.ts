// foehn package inspect and verify: what is at an address before any weights are brought here, and whether what is here is right.

import { withInterrupt } from "../../../core/interrupt.js";
import { type Console, table } from "../../io.js";
import { formatBytes } from "../../sizes.js";
import type { DefineVerb } from "../../verb.js";
import { packageHelp } from "./store-verbs.js";

/** Adds the sub-verbs to `foehn package`. */
export const defineInspectVerbs: DefineVerb = (command, run) => {
  command
    .command("inspect")
    .description(
      "List the files of a package, their sizes and hashes, and the code it would run; nothing but metadata.json is brought here.",
    )
    .argument("<package>", packageHelp)
    .action(run((console, _options: object, name: string) => inspect(console, name)));
  command
    .command("verify")
    .description("Compute the hash of every file of a package; without a package, of the whole cache.")
    .argument("[package]", packageHelp)
    .action(
      run((console, _options: object, name?: string) =>
        name === undefined ? verifyAll(console) : verify(console, name),
      ),
    );
};

async function inspect(console: Console, name: string): Promise<void> {
  const { Package } = await import("../../../hub/package.js");
  const { manifestName } = await import("../../../hub/manifest.js");
  const pkg = new Package(name);
  const manifest = (await pkg.has(manifestName)) ? await pkg.metadata() : undefined;
  const files = await pkg.list();
  const store = pkg.isLocal ? undefined : await pkg.store();
  const prefix = "path" in pkg.address && pkg.address.path !== "" ? `${pkg.address.path}/` : "";
  const listed = await Promise.all(
    files.map(async (file) => ({
      ...file,
      here: store === undefined || (await pkg.cache.peek(store, prefix + file.path, file)) !== undefined,
    })),
  );
  const total = listed.reduce((sum, { size = 0 }) => sum + size, 0);
  const code = manifest?.entrypoint?.name || manifest?.architecture_entrypoint || undefined;
  const value = {
    uri: pkg.uri,
    revision: store?.revision,
    trusted: pkg.trusted,
    code,
    license: manifest?.license,
    files: listed,
    bytes: total,
  };
  const rows: [string, string][] = [["package", manifest?.name ?? pkg.name]];
  if (store?.revision !== undefined) rows.push(["revision", store.revision]);
  if (manifest?.license) rows.push(["licence", manifest.license]);
  if (manifest !== undefined) rows.push(["model", manifest.architecture || code || "not said"]);
  else rows.push(["model", `not said: it has no ${manifestName}`]);
  rows.push(["code", await codeText(code, pkg.trusted)]);
  const here = listed.filter((file) => file.here).length;
  const where = pkg.isLocal ? "on this machine" : `${here} in the cache`;
  rows.push(["files", `${listed.length}, ${formatBytes(total)}, ${where}`]);
  const lines = listed.map(({ path, size, sha256, here: isHere }) => [
    `  ${path}`,
    size === undefined ? "?" : formatBytes(size),
    sha256 === undefined ? "no hash" : sha256.slice(0, 12),
    pkg.isLocal ? "" : isHere ? "cached" : "",
  ]);
  console.result(value, `${table(rows)}\n${table(lines)}`);
}

async function verify(console: Console, name: string): Promise<void> {
  const { Package } = await import("../../../hub/package.js");
  const { pull } = await import("../../../hub/pull.js");
  const { sha256File } = await import("../../../core/files.js");
  const { ModelError } = await import("../../../core/errors.js");
  const pkg = new Package(name);
  const { files } = await withInterrupt((signal) => pull(pkg, { signal, progress: console.progress() }));
  const known = new Map((await pkg.list()).map((file) => [file.path, file.sha256]));
  for (const { path, local, sha256 } of files) {
    const found = await sha256File(local);
    if (found.sha256 !== (known.get(path) ?? sha256)) {
      throw new ModelError(`${path} of ${pkg.uri} is not what it was: its sha256 is ${found.sha256}, not ${sha256}`, {
        where: local,
        hint: "`foehn package verify` without a package takes damaged files out of the cache; they are then brought again",
      });
    }
  }
  const hashed = files.filter(({ path }) => known.get(path) !== undefined).length;
  const rest = files.length - hashed;
  const free = rest === 0 ? "" : `; ${rest} without a published hash are as they came`;
  console.result(
    { uri: pkg.uri, verified: files.map(({ path }) => path) },
    `${pkg.uri}: ${hashed} file${hashed === 1 ? " is" : "s are"} as the package says${free}`,
  );
}

async function verifyAll(console: Console): Promise<void> {
  const { verifyCache } = await import("../../../hub/cache/maintenance.js");
  const { ModelError } = await import("../../../core/errors.js");
  const done = await withInterrupt((signal) => verifyCache({ signal, progress: console.progress() }));
  const lines = done.damaged.map(({ package: id, path, why }) => `${id}: ${path}: ${why}`);
  if (lines.length === 0) {
    console.result(done, `${done.checked} files in the cache are as they came`);
    return;
  }
  throw new ModelError(`${lines.length} of ${done.checked} cached files were damaged:\n  ${lines.join("\n  ")}`, {
    hint: "they were taken out of the cache and will be brought again when they are used",
  });
}

/** Whether the package brings code, and whether that may run. Loaders that Foehn has itself are no code of the package. */
async function codeText(entry: string | undefined, trusted: boolean): Promise<string> {
  if (entry === undefined) return "none";
  const { loaderAlias } = await import("../../../forecast/auto-models/registry.js");
  const alias = loaderAlias(entry);
  if (alias) return `none: ${entry} stands for Foehn's loader ${alias.name}`;
  return `${entry} (${trusted ? "may run" : "runs only with --trust"})`;
}
