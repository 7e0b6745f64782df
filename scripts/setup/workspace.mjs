// The state of the working copy: do the installed npm packages match package-lock.json, and has anything changed since the
// last complete set-up? Both answers take milliseconds.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

/**
 * npm leaves a copy of the lock file in node_modules as the last act of an install; an interrupted install has none.
 * @param {string} root
 */
export function installMatchesLock(root) {
  const read = (file) => {
    try {
      return JSON.parse(readFileSync(path.join(root, file), "utf8")).packages;
    } catch {
      return undefined;
    }
  };
  const wanted = read("package-lock.json");
  const installed = read("node_modules/.package-lock.json");
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([name, entry]) => {
    if (!name.includes("node_modules/")) return true;
    if (entry.link) return existsSync(path.join(root, name));
    if (installed[name]) return installed[name].version === entry.version;
    return entry.optional === true || entry.devOptional === true || entry.peer === true; // for other platforms, mostly
  });
}

/** Everything that the built output depends on: names, sizes and times of change. */
export function fingerprint(root, env = process.env) {
  const hash = createHash("sha256").update(
    `${process.version} ${process.platform} ${process.arch} ${env.LIBTORCH ?? ""}\n`,
  );
  const add = (file) => {
    const info = statSync(path.join(root, file), { throwIfNoEntry: false });
    if (info?.isFile()) hash.update(`${file} ${info.size} ${info.mtimeMs}\n`);
  };
  const addFolder = (folder) => {
    const full = path.join(root, folder);
    if (!existsSync(full)) return;
    for (const entry of readdirSync(full, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory()) addFolder(name);
      else add(name);
    }
  };
  for (const file of ["package-lock.json", "tsconfig.json", "tsconfig.base.json"]) add(file);
  for (const name of readdirSync(path.join(root, "packages")).sort()) {
    for (const file of ["package.json", "tsconfig.json", "CMakeLists.txt"]) add(`packages/${name}/${file}`);
    for (const folder of ["src", "native", "scripts"]) addFolder(`packages/${name}/${folder}`);
  }
  return hash.digest("hex");
}

const stampFile = (root) => path.join(root, "node_modules/.foehn-setup");

/** What a complete set-up leaves behind; if one is gone, there is something to do. */
const outputs = [
  "node_modules/.package-lock.json",
  "packages/torch/build/Release/foehn_torch.node",
  "packages/torch/dist/.tsbuildinfo",
  "packages/foehn/dist/.tsbuildinfo",
  "packages/foehn/dist/cli/main.js",
];

/** True when the last set-up was complete and nothing has changed since. */
export function isComplete(root, print = fingerprint(root)) {
  try {
    return (
      readFileSync(stampFile(root), "utf8") === print && outputs.every((file) => existsSync(path.join(root, file)))
    );
  } catch {
    return false;
  }
}

/** Notes that the set-up is complete for the state that had this fingerprint. */
export function markComplete(root, print) {
  writeFileSync(stampFile(root), print);
}
