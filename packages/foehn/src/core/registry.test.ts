import { describe, expect, it } from "vitest";
import { looseName, Registry } from "./registry.js";

interface Tool {
  readonly name: string;
  readonly aliases?: readonly string[];
}

const tools = () =>
  new Registry<Tool>({
    one: "tool",
    many: "tools",
    names: ({ name, aliases = [] }) => [name, ...aliases],
    describe: ({ name }) => name,
    key: looseName,
  });

describe("a registry", () => {
  it("finds by any name and lists each item once, in order", () => {
    const registry = tools();
    const [saw, awl] = [{ name: "saw", aliases: ["hand_saw"] }, { name: "awl" }];
    registry.register(saw, "foehn-plugin-wood@1.0.0");
    registry.register(awl);
    registry.register(saw);
    expect(registry.get("Hand-Saw")).toBe(saw);
    expect(registry.find("drill")).toBeUndefined();
    expect(registry.list()).toEqual([saw, awl]);
    expect([registry.originOf("saw"), registry.originOf("awl")]).toEqual(["foehn-plugin-wood@1.0.0", undefined]);
  });

  it("refuses a taken name and says who has it", () => {
    const registry = tools();
    registry.register({ name: "saw" });
    expect(() => registry.register({ name: "blade", aliases: ["SAW"] }, "blades.ts")).toThrow(
      'two tools are called "SAW": saw of Foehn itself and blade of blades.ts',
    );
    expect(registry.has("blade")).toBe(false);
  });

  it("names the nearest for an unknown name", () => {
    const registry = tools();
    registry.register({ name: "hammer" });
    expect(() => registry.get("hamer")).toThrow(
      expect.objectContaining({ code: "usage", hint: 'Did you mean "hammer"? Known tools: hammer.' }),
    );
  });
});
