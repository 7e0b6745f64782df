#!/usr/bin/env node
// Makes a fresh clone ready to run: system packages, npm packages, the native addon, the compiled TypeScript.
// Plain Node without dependencies, because nothing is installed when it first runs. Each step does only what is missing, so it
// may be run at any time, is done within a second when there is nothing to do, and goes on where an interrupted run stopped.

import { spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  advice,
  aptPrefix,
  libtorchAdvice,
  libtorchProblem,
  missingNeeds,
  needs,
  thisMachine,
} from "./setup/system.mjs";
import { fingerprint, installMatchesLock, isComplete, markComplete } from "./setup/workspace.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const logFile = path.join(root, "build/setup.log");

/** An error with a message for the user: printed as it is. */
class SetupError extends Error {}

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Runs a command with its output in the log; shows the end of the log when it fails. */
async function run(command, args, options = {}) {
  const log = createWriteStream(logFile, { flags: "a" });
  await new Promise((resolve) => log.once("open", resolve));
  log.write(`\n$ ${command} ${args.join(" ")}\n`);
  const status = await new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], ...options });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.on("error", (err) => {
      log.write(`${err.message}\n`);
      resolve(-1);
    });
    child.on("close", (code) => resolve(code ?? -1));
  });
  await new Promise((resolve) => log.end(resolve));
  return status === 0;
}

/** What the last command printed: all of it when it is short, otherwise its first complaints and its end. */
function lastOutput() {
  const lines = readFileSync(logFile, "utf8").split(/^\$ /m).at(-1).trimEnd().split("\n").slice(1);
  if (lines.length <= 30) return lines.join("\n");
  const complaints = lines.slice(0, -12).filter((line) => /error|fatal|cannot|missing/i.test(line));
  return [...complaints.slice(0, 15), "...", ...lines.slice(-12)].join("\n");
}

async function step(label, doing, work) {
  const since = performance.now();
  process.stdout.write(`  ${label.padEnd(16)} ${doing} ...`);
  if (!process.stdout.isTTY) process.stdout.write("\n");
  const result = await work();
  if (process.stdout.isTTY) process.stdout.write(`\r  ${label.padEnd(16)} ${doing}: done in ${seconds(since)}\n`);
  else process.stdout.write(`  ${label.padEnd(16)} done in ${seconds(since)}\n`);
  return result;
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new SetupError(
    `Foehn needs Node 20.19 or newer; this is Node ${process.versions.node}. Get one from https://nodejs.org`,
  );
}

async function systemPackages() {
  const probe = thisMachine();
  let missing = missingNeeds(probe);
  if (missing.length > 0) {
    const prefix = aptPrefix(probe, process.getuid?.() === 0);
    if (!prefix)
      throw new SetupError(
        advice(missing, "It cannot be installed for you here (that takes apt, and root or sudo without a password)."),
      );
    await step(
      "system packages",
      `installing ${missing.map((need) => needs[need].what).join(", ")} with apt`,
      async () => {
        const apt = (...args) => {
          const [command, ...rest] = [
            ...prefix,
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-q",
            "-o",
            "DPkg::Lock::Timeout=300",
            ...args,
          ];
          return run(command, rest);
        };
        await apt("update"); // a repository that does not answer need not be the one we install from
        const packages = missing.map(
          (need) => needs[need].apt.find((name) => isKnown(probe, name)) ?? needs[need].apt[0],
        );
        const install = () => apt("install", "-y", "--no-install-recommends", ...packages);
        if (await install()) return;
        // An installation that was killed leaves dpkg half-done; finish that one and try again.
        const [command, ...rest] = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--configure", "-a"];
        await run(command, rest);
        if (await install()) return;
        throw new SetupError(`${lastOutput()}\n\n${advice(missing, `apt-get failed; its output is in ${logFile}.`)}`);
      },
    );
    missing = missingNeeds(probe);
    if (missing.length > 0)
      throw new SetupError(advice(missing, "apt-get installed what it has, which was not enough."));
  }
  const problem = libtorchProblem(probe);
  if (problem) throw new SetupError(libtorchAdvice(problem));
}

/** True when apt has a package of that name to install. */
function isKnown(probe, name) {
  return /Candidate: (?!\(none\))/.test(probe.run("apt-cache", ["policy", name]) ?? "");
}

async function npmPackages() {
  if (installMatchesLock(root)) return;
  await step("npm packages", "npm ci", async () => {
    // The npm that started us, where one did; its settings for this run (such as --silent) stay out of it.
    const npm = process.env.npm_execpath;
    const args = ["ci", "--no-audit", "--no-fund"];
    const ok = npm?.endsWith("js") ? await run(process.execPath, [npm, ...args]) : await run("npm", args);
    if (!ok) throw new SetupError(`${lastOutput()}\n\nnpm ci failed; the whole output is in ${logFile}`);
  });
}

async function build(label, doing, args) {
  await step(label, doing, async () => {
    if (!(await run(process.execPath, args))) {
      throw new SetupError(`${lastOutput()}\n\n${doing} failed; the whole output is in ${logFile}`);
    }
  });
}

async function main() {
  const since = performance.now();
  checkNode();
  const print = fingerprint(root);
  if (isComplete(root, print)) {
    console.log(`set-up: complete (checked in ${Math.round(performance.now() - since)} ms)`);
    return;
  }
  mkdirSync(path.dirname(logFile), { recursive: true });
  writeFileSync(logFile, "");
  const isFirst = !existsSync(path.join(root, "node_modules"));
  console.log(`set-up: ${isFirst ? "the first time this takes a few minutes; " : ""}details go to build/setup.log`);
  await systemPackages();
  await npmPackages();
  await build("native addon", "compiling against libtorch", ["packages/torch/scripts/build.mjs"]);
  await build("TypeScript", "tsc -b", ["node_modules/typescript/bin/tsc", "-b"]);
  markComplete(root, print);
  console.log(`set-up: complete in ${seconds(since)}`);
}

main().catch((err) => {
  console.error(`\n${err instanceof SetupError ? err.message : err.stack}`);
  process.exitCode = 1;
});
