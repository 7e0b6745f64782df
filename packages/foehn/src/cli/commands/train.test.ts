import { Command, type Option } from "commander";
import { describe, expect, it } from "vitest";
import { losses } from "../../training/losses/registry.js";
import { trainOptionsSchema } from "../../training/options.js";
import { strategies } from "../../training/strategies/registry.js";
import { toSnakeCase } from "../options.js";
import { define } from "./train.js";

const command = new Command("train");
define(command, () => async () => {});
const flags = new Map(
  command.options.filter((option: Option) => !option.hidden).map((option: Option) => [option.attributeName(), option]),
);
const own = ["config", "resume", "output", "packageName", "packageVersion", "overwrite", "printSchema"];

interface Wrapped {
  readonly options?: unknown[];
  readonly unwrap?: () => Wrapped;
}

describe("the flags of foehn train", () => {
  it("are the options of the trainer, all of them, and a few of its own", () => {
    const named = [...flags.keys()]
      .filter((name) => !own.includes(name))
      .flatMap((name) => Object.keys(toSnakeCase({ [name]: 1 })));
    // --plugin is a flag of every verb.
    expect([...named, "plugins"].sort()).toEqual(Object.keys(trainOptionsSchema.shape).sort());
  });

  it("state the defaults that the trainer has", () => {
    const defaults = trainOptionsSchema.parse({}) as Record<string, unknown>;
    for (const [name, option] of flags) {
      const stated = /\(default: ([^)]*)\)$/.exec(option.description)?.[1];
      const [key] = Object.keys(toSnakeCase({ [name]: 1 }));
      if (stated === undefined || own.includes(name) || defaults[key!] === null) continue;
      expect(`${name}: ${stated}`).toBe(`${name}: ${String(defaults[key!])}`);
    }
  });

  it("name the losses that there are", () => {
    const named = flags
      .get("loss")!
      .description.replace(/ \(default.*/, "")
      .split(/, | or /);
    expect(named).toEqual(losses.list().map((loss) => loss.name));
  });

  it("offer the choices that the trainer has", () => {
    const compared: string[] = [];
    for (const [name, option] of flags) {
      const [key] = Object.keys(toSnakeCase({ [name]: 1 }));
      // Defaults and null are wrapped around the choices.
      let schema = (trainOptionsSchema.shape as Record<string, unknown>)[key!] as Wrapped | undefined;
      while (schema?.unwrap && !schema.options) schema = schema.unwrap();
      const choices = schema?.options;
      if (!Array.isArray(choices) || !choices.every((choice) => typeof choice === "string")) continue;
      expect(option.description, name).toContain(`(${choices.join(", ")})`);
      compared.push(name);
    }
    for (const { strategyName } of strategies.list()) {
      expect(flags.get("strategy")!.description).toContain(strategyName);
    }
    expect(compared).toEqual(expect.arrayContaining(["precision", "scheduler", "onNan"]));
  });
});
