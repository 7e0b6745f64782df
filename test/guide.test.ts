// The guide's commands, run as they are written, on a shortened training. Needs the guide's ERA5 file; without it only the
// names of verbs and flags are checked.

import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { runHere } from "../packages/foehn/src/cli/process.test-support.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const name = "era5-2mt-2019-03-uk.grib";
const data = join(process.env.FOEHN_TEST_DATA ?? join(root, "../shared/data"), name);
const folder = mkdtempSync(join(tmpdir(), "foehn-guide-"));
const home = process.cwd();

/** The arguments of every `npx foehn …` in the shell blocks of a page. */
function commandsOf(page: string): string[][] {
  const blocks = [...readFileSync(join(root, page), "utf8").matchAll(/```sh\n([\s\S]*?)```/g)].map(
    (match) => match[1]!,
  );
  const lines = blocks.flatMap((block) => block.replaceAll("\\\n", " ").split("\n"));
  const commands = lines.filter((line) => line.startsWith("npx foehn "));
  return commands.map((line) => line.replace(/ #.*$/, "").trim().split(/\s+/).slice(2));
}

describe("docs/guides/ensembles.md", () => {
  const work = mkdtempSync(join(tmpdir(), "foehn-guide-ensembles-"));
  afterAll(() => {
    process.chdir(home);
    rmSync(work, { recursive: true, force: true });
  });

  it("runs as it stands, on a smaller basin", async () => {
    // The guide's basin takes seconds to spin up for each command.
    const small = "synthetic:ny=12,nx=16,spacing=3,spin_up_days=0.5";
    const examples = join(work, "examples/ensembles");
    cpSync(join(root, "examples/ensembles"), examples, { recursive: true });
    const replace = (file: string, ...changes: [string, string][]) => {
      const path = join(examples, file);
      writeFileSync(
        path,
        changes.reduce((text, [from, to]) => text.replace(from, to), readFileSync(path, "utf8")),
      );
    };
    replace("config.json", ['"synthetic"', `"${small}"`]);
    replace("protocol.json", ['"synthetic"', `"${small}"`]);
    replace("basin-persistence/metadata.json", [
      /"lat0".*"nx": 64/.exec(readFileSync(join(examples, "basin-persistence/metadata.json"), "utf8"))![0],
      '"lat0": 61.5, "dlat": 3, "ny": 12, "lon0": -24, "dlon": 3, "nx": 16',
    ]);
    process.chdir(work);
    for (const command of commandsOf("docs/guides/ensembles.md")) {
      const { status, stderr } = await runHere(...command.map((word) => (word === "synthetic" ? small : word)));
      expect(status, `foehn ${command.join(" ")}\n${stderr}`).toBe(0);
    }
    const made = [
      "ensemble/ensemble_out_0.nc",
      "shards/ensemble_out_1.nc",
      "scores/north/scores.json",
      "spread.png",
      "ranks.svg",
    ];
    const more = [
      "job/2020-01-05T12:00:00/basin/crps.zarr",
      "job-scores/basin/scores.json",
      "lagged/000.csv",
      "terciles.nc",
      "rps.csv",
    ];
    for (const file of [...made, ...more]) expect(existsSync(file), file).toBe(true);
  }, 120_000);
});

describe("docs/guides/first-model.md", () => {
  afterAll(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    "README.md",
    "docs/guides/ensembles.md",
    "docs/guides/first-model.md",
    "docs/guides/forecast-steps.md",
    "docs/guides/forecasts.md",
    "docs/guides/observers.md",
    "docs/guides/published-weights.md",
    "docs/guides/packages.md",
    "docs/guides/operational-data.md",
    "docs/guides/sources.md",
  ])("%s names verbs and flags that exist", async (page) => {
    const commands = commandsOf(page);
    expect(commands.length).toBeGreaterThan(4);
    for (const [verb, ...rest] of commands) {
      const parts = ["plot", "dataset", "model", "runs", "package", "export", "events", "s2s"].includes(verb!)
        ? [verb, rest[0]!]
        : [verb!];
      const help = await runHere(...parts, "--help");
      expect(help.status).toBe(0);
      for (const flag of rest.filter((word) => word.startsWith("-"))) {
        expect(help.stdout, `${parts.join(" ")} ${flag}`).toMatch(new RegExp(`(^|[ ,])${flag}[ ,]`, "m"));
      }
    }
  });

  it.skipIf(!existsSync(data))(
    "runs from the first command to the report",
    async () => {
      cpSync(join(root, "examples/era5-uk"), join(folder, "examples/era5-uk"), { recursive: true });
      rmSync(join(folder, "examples/era5-uk", name), { force: true });
      symlinkSync(data, join(folder, "examples/era5-uk", name));
      process.chdir(folder);
      for (const command of commandsOf("docs/guides/first-model.md")) {
        const argv = command.map((word) =>
          word.replace("runs/<run>", join("runs", existsSync("runs") ? readdirSync("runs")[0]! : "")),
        );
        const shorter = ["--epochs", "1", "--limit-train-batches", "12", "--threads", "1"];
        const { status, stderr } = await runHere(...argv, ...(argv[0] === "train" ? shorter : []), "--quiet");
        expect(status, `foehn ${argv.join(" ")}\n${stderr}`).toBe(0);
      }
      for (const file of [
        "era5-model",
        "forecast.nc",
        "scores.nc",
        "rmse.png",
        "map.svg",
        "forecast.gif",
        "report.html",
      ]) {
        expect(existsSync(file), file).toBe(true);
      }
    },
    120_000,
  );
  if (!existsSync(data)) console.log(`skipped: no ${name} at ${data} (set FOEHN_TEST_DATA to its folder)`);
});
