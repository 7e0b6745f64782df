// docs/guides/training.md: its files are valid, and it names every loss, optimiser, schedule and setting that there is.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { loadConfig } from "../core/config.js";
import { losses } from "./losses/registry.js";
import { optimizerNames } from "./optimizers.js";
import { parseTrainOptions, trainOptionsSchema } from "./options.js";
import { resolveFiles } from "./resolve-files.js";
import { schedulerNames, scheduleSettings } from "./schedules.js";

const page = readFileSync(new URL("../../../../docs/guides/training.md", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "foehn-guide-"));
const files = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, text], i) => {
    const path = join(folder, `${i}.${language}`);
    writeFileSync(path, text!);
    return path;
  });

describe("the guide to training", () => {
  it.each(files("toml"))("has a valid run file: %s", (path) => {
    const options = parseTrainOptions(loadConfig(path, trainOptionsSchema));
    expect(resolveFiles(options).model_settings).toHaveProperty("num_filters");
  });

  it.each(files("yaml"))("has a valid loss file: %s", (loss_conf) => {
    const { loss } = resolveFiles(parseTrainOptions({ loss_conf }));
    expect(Array.isArray(loss)).toBe(true);
  });

  it("names everything there is", () => {
    const settings = losses.list().flatMap((loss) => {
      const schema = z.toJSONSchema(loss.settings, { io: "input", unrepresentable: "any" });
      return [loss.name, ...Object.keys(schema.properties ?? {})];
    });
    const ofSchedules = ["one_cycle", "plateau"] as const;
    const more = ofSchedules.flatMap((scheduler) =>
      Object.keys(scheduleSettings({ ...parseTrainOptions({}), scheduler, scheduler_settings: {} })),
    );
    for (const name of [...settings, ...more, ...optimizerNames, ...schedulerNames])
      expect(page).toContain(`\`${name}\``);
  });
});
