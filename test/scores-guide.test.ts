// The commands of docs/guides/scores.md, run as they are written with the package that the page describes.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { runHere } from "../packages/foehn/src/cli/process.test-support.js";

const page = readFileSync(fileURLToPath(new URL("../docs/guides/scores.md", import.meta.url)), "utf8");
const blocks = (kind: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${kind}\\n([\\s\\S]*?)\`\`\``, "g"))].map((match) => match[1]!);
const home = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "foehn-scores-guide-"));
afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

it("runs what the guide to scores says", async () => {
  process.chdir(folder);
  mkdirSync("my-model");
  writeFileSync("my-model/metadata.json", blocks("json")[0]!);
  const commands = blocks("sh")
    .flatMap((block) => block.replaceAll("\\\n", " ").trim().split("\n"))
    .map((line) => line.trim().split(/\s+/).slice(2));
  expect(commands.length).toBe(5);
  let merged = "";
  for (const argv of commands) {
    const { status, stdout, stderr } = await runHere(...argv, "--quiet");
    expect(status, `foehn ${argv.join(" ")}\n${stderr}`).toBe(0);
    if (argv[1] === "merge") merged = stdout;
  }
  for (const file of ["scores.nc", "merged.nc", "scores/000.csv", "scores/001.csv"])
    expect(existsSync(file), file).toBe(true);
  expect(merged).toMatch(/7 initial times, 2020-01-01T00:00:00Z to 2020-01-04T00:00:00Z/);
  const line = page.match(/\n(2020-\S+?),mse,/)![1]!;
  expect(readFileSync("scores/000.csv", "utf8")).toContain(`${line},mse,`);
}, 120_000);
