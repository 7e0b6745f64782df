// Builds the native addon: node scripts/build.mjs [--force].
// LIBTORCH names a libtorch folder, or the torch folder of a Python installation; without it the system's libtorch is used.
// Nothing to do is found out from a stamp of the sources and of LIBTORCH, in a few milliseconds.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const release = path.join(root, "build", "Release");
const addon = path.join(release, "foehn_torch.node");
const stampFile = path.join(release, "stamp.json");
const libtorch = process.env.LIBTORCH ? path.resolve(process.env.LIBTORCH) : "";

function fail(message) {
  console.error(message);
  process.exit(1);
}

const hash = createHash("sha256");
for (const name of [
  "CMakeLists.txt",
  "scripts/build.mjs",
  ...readdirSync(path.join(root, "native"))
    .sort()
    .map((f) => `native/${f}`),
]) {
  hash
    .update(name)
    .update("\0")
    .update(readFileSync(path.join(root, name)));
}
const stamp = JSON.stringify({ sources: hash.digest("hex"), libtorch, platform: process.platform, arch: process.arch });

if (
  !process.argv.includes("--force") &&
  existsSync(addon) &&
  existsSync(stampFile) &&
  readFileSync(stampFile, "utf8") === stamp
) {
  process.exit(0);
}
if (libtorch && !existsSync(path.join(libtorch, "include"))) {
  fail(
    `LIBTORCH=${libtorch} has no include folder; it must name a libtorch folder or the torch folder of a Python installation`,
  );
}

function run(command, args) {
  const result = spawnSync(command, args, { stdio: "inherit" });
  if (result.error) fail(`cannot run ${command} (${result.error.message}); install cmake, ninja-build and g++`);
  if (result.status !== 0) fail(`the native build failed: ${command} ended with ${result.status ?? result.signal}`);
}

const require = createRequire(import.meta.url);
const folder = path.join(root, "build", "cmake");
// A build folder configured for another libtorch keeps its paths in the cache; begin afresh.
const target = path.join(folder, "libtorch.txt");
if (existsSync(folder) && (!existsSync(target) || readFileSync(target, "utf8") !== libtorch))
  rmSync(folder, { recursive: true });
mkdirSync(folder, { recursive: true });
writeFileSync(target, libtorch);

run("cmake", [
  "-S",
  root,
  "-B",
  folder,
  "-G",
  "Ninja",
  "-DCMAKE_BUILD_TYPE=Release",
  `-DLIBTORCH_ROOT=${libtorch}`,
  `-DNODE_API_HEADERS=${require("node-api-headers").include_dir}`,
  `-DNODE_ADDON_API=${path.dirname(require.resolve("node-addon-api/package.json"))}`,
]);
run("cmake", ["--build", folder]);

mkdirSync(release, { recursive: true });
const temporary = `${addon}.${process.pid}.tmp`;
copyFileSync(path.join(folder, "foehn_torch.node"), temporary);
renameSync(temporary, addon);
writeFileSync(stampFile, stamp);
console.log(`built ${path.relative(process.cwd(), addon)}`);
