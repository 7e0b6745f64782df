import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { stringify as stringifyToml } from "smol-toml";
import { describe, expect, it } from "vitest";
import { parse as parseYaml, stringify as stringifyYaml } from "yaml";
import { z } from "zod";
import { type ConfigFormat, loadConfig, parseConfigText, validateSettings } from "./config.js";
import { ConfigError } from "./errors.js";

const schema = z.strictObject({
  epochs: z.number().int().min(1),
  optimizer: z.enum(["adamw", "sgd"]).default("adamw"),
  variables: z.array(z.strictObject({ name: z.string(), level: z.number().optional() })),
  start: z.union([z.string(), z.array(z.string())]).optional(),
  source: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("file"), path: z.string() }),
    z.strictObject({ kind: z.literal("synthetic"), seed: z.number() }),
  ]),
});

const folder = mkdtempSync(join(tmpdir(), "foehn-config-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const messageOf = (fn: () => unknown): string => {
  try {
    fn();
  } catch (err) {
    expect(err).toBeInstanceOf(ConfigError);
    return (err as Error).message.replaceAll(`${folder}/`, "");
  }
  throw new Error("expected a ConfigError");
};

describe("configuration files", () => {
  it("load from YAML, TOML and JSON alike, with defaults, frozen", () => {
    const expected = {
      epochs: 3,
      optimizer: "adamw",
      variables: [{ name: "t2m" }, { name: "z", level: 500 }],
      start: "2019-03-01",
      source: { kind: "synthetic", seed: 1 },
    };
    const yaml = file(
      "ok.yaml",
      "epochs: 3\nvariables:\n  - name: t2m\n  - {name: z, level: 500}\nstart: 2019-03-01\nsource: {kind: synthetic, seed: 1}\n",
    );
    const toml = file(
      "ok.toml",
      'epochs = 3\nstart = 2019-03-01\n[[variables]]\nname = "t2m"\n[[variables]]\nname = "z"\nlevel = 500\n[source]\nkind = "synthetic"\nseed = 1\n',
    );
    const json = file(
      "ok.json",
      '{"epochs": 3, "variables": [{"name": "t2m"}, {"name": "z", "level": 500}], "start": "2019-03-01", "source": {"kind": "synthetic", "seed": 1}}',
    );
    for (const path of [yaml, toml, json]) expect(loadConfig(path, schema)).toEqual(expected);
    const loaded = loadConfig(yaml, schema);
    expect(() => Object.assign(loaded.source, { seed: 2 })).toThrow(TypeError);
  });

  it("report everything that is wrong at once, each with file, line and column (YAML)", () => {
    const path = file(
      "bad.yaml",
      "# a comment\nepochs: ten\noptimiser: adamw\nvariables:\n  - name: t2m\n    levle: 500\n  - {name: 5}\nstart: 3\nsource:\n  kind: fiel\n",
    );
    expect(messageOf(() => loadConfig(path, schema))).toBe(
      [
        "6 problems in bad.yaml",
        '  bad.yaml:2:1 epochs: expected a number, got "ten"',
        '  bad.yaml:3:1 optimiser: unknown key. Did you mean "optimizer"?',
        '  bad.yaml:6:5 variables.0.levle: unknown key. Did you mean "level"?',
        "  bad.yaml:7:6 variables.1.name: expected text, got 5",
        "  bad.yaml:8:1 start: expected text or a list, got 3",
        '  bad.yaml:10:3 source.kind: expected one of "file", "synthetic", got "fiel". Did you mean "file"?',
      ].join("\n"),
    );
  });

  it("report places in TOML: dotted keys, tables, lists of tables, inline tables", () => {
    const path = file(
      "bad.toml",
      'epochs = 0\nstart = ["a",\n  3]\n[source] # here\nkind = "file"\npath."x y" = 1\n\n[[variables]]\nname = "t = [2"\n[[variables]]\nname = \'\'\'two\nlines\'\'\'\nlevel = "high"\n',
    );
    expect(messageOf(() => loadConfig(path, schema))).toBe(
      [
        "4 problems in bad.toml",
        "  bad.toml:1:1 epochs: expected a number of at least 1, got 0",
        "  bad.toml:3:3 start.1: expected text, got 3",
        '  bad.toml:6:1 source.path: expected text, got {"x y":1}',
        '  bad.toml:13:1 variables.1.level: expected a number, got "high"',
      ].join("\n"),
    );
  });

  it("report missing keys at the block that should have them (JSON)", () => {
    const path = file("bad.json", '{\n  "epochs": 1.5,\n  "variables": [\n    { "level": 2 }\n  ]\n}');
    expect(messageOf(() => loadConfig(path, schema))).toBe(
      [
        "3 problems in bad.json",
        "  bad.json:1:1 source: expected a block of keys, but it is missing",
        "  bad.json:2:3 epochs: expected a whole number, got 1.5",
        "  bad.json:4:5 variables.0.name: expected text, but it is missing",
      ].join("\n"),
    );
  });

  it.each<[ConfigFormat, string, string]>([
    ["json", '{"a": tru}', "f.json:1:7: this is not JSON: tru is not a JSON value (strings need double quotes)"],
    ["json", '{"a": 1,}', "f.json:1:9: this is not JSON: a comma before } is one too many"],
    ["json", '{"a": [1, 2}', 'f.json:1:12: this is not JSON: expected "," or "]", found "}"'],
    ["json", '{"a": 1\n"b": 2}', 'f.json:2:1: this is not JSON: expected "," or "}", found "\\""'],
    ["json", '{"a": 1, "a": 2}', 'f.json:1:10: this is not JSON: the key "a" stands there twice'],
    ["json", "// hi\n{}", "f.json:1:1: this is not JSON: JSON has no comments; use YAML or TOML for those"],
    ["json", "  ", "f.json:1:3: this is not JSON: the file is empty"],
    ["json", '{"a": "b', "f.json:1:7: this is not JSON: a string is not closed"],
    ["yaml", "a: 1\na: 2", "f.yaml:2:1: this is not YAML: Map keys must be unique"],
    ["toml", "a = 1\na = 2", "f.toml:2:1: this is not TOML: trying to redefine an already defined table or value"],
  ])("give the place of a syntax error: %s %s", (format, text, message) => {
    expect(messageOf(() => parseConfigText(text, format, `f.${format}`))).toBe(message);
  });

  it("say which files there are when the path is wrong", () => {
    file("dataset.yaml", "a: 1");
    try {
      loadConfig(join(folder, "datset.yaml"), schema);
      expect.unreachable();
    } catch (err) {
      expect(err).toMatchObject({ code: "config", hint: 'Did you mean "dataset.yaml"?' });
    }
    expect(() => loadConfig(join(folder, "dataset.ini"), schema)).toThrow(/ends in .json, .yaml, .yml, .toml/);
  });

  it("put flags over the file, and blame the command line for them", () => {
    const path = file("flags.yaml", "epochs: 3\nvariables: []\nsource: {kind: synthetic, seed: 1}\n");
    expect(loadConfig(path, schema, { epochs: 5, optimizer: undefined, source: { seed: 2 } })).toMatchObject({
      epochs: 5,
      optimizer: "adamw",
      source: { kind: "synthetic", seed: 2 },
    });
    expect(messageOf(() => loadConfig(path, schema, { epochs: 0 }))).toBe(
      "command line epochs: expected a number of at least 1, got 0",
    );
  });
});

describe("settings without a file", () => {
  it("are refused in the same words", () => {
    expect(messageOf(() => validateSettings(schema.pick({ epochs: true }), { epoch: 3 }, "settings of x"))).toBe(
      "2 problems in settings of x\n  settings of x epochs: expected a number, but it is missing\n" +
        '  settings of x epoch: unknown key. Did you mean "epochs"?',
    );
  });

  it("use the message that the schema's author wrote", () => {
    const step = z.string().refine((s) => s.endsWith("h"), 'expected a duration like "6h"');
    expect(messageOf(() => validateSettings(z.strictObject({ step }), { step: "ten" }, "conf"))).toBe(
      'conf step: expected a duration like "6h", got "ten"',
    );
  });
});

describe("places", () => {
  const key = fc.stringMatching(/^[a-z][a-z0-9 ."'=#]{0,6}$/);
  const leaf = fc.oneof(
    fc.integer({ min: -1000, max: 1000 }),
    fc.boolean(),
    fc.string(),
    fc.stringMatching(/^["'\\#[\]{}=, \n]{0,6}$/),
  );
  const { tree } = fc.letrec<{ tree: Record<string, unknown>; node: unknown }>((tie) => ({
    tree: fc.dictionary(key, tie("node"), { maxKeys: 4 }),
    node: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.array(leaf, { maxLength: 3 }),
      fc.array(tie("tree"), { minLength: 1, maxLength: 3 }),
      tie("tree"),
    ),
  }));
  const writers: Record<ConfigFormat, (value: Record<string, unknown>) => string> = {
    json: (v) => JSON.stringify(v, null, 2),
    yaml: (v) => stringifyYaml(v),
    toml: (v) => stringifyToml(v),
  };

  it.each(["json", "yaml", "toml"] as const)("exist for every key of any %s text, and point at that key", (format) => {
    fc.assert(
      fc.property(tree, (value) => {
        const text = writers[format](value);
        const located = parseConfigText(text, format, "f");
        // stringify's own folding of odd strings is not ours to test
        expect(located.value).toEqual(format === "yaml" ? parseYaml(text) : value);
        const lines = text.split("\n");
        const walk = (node: unknown, path: PropertyKey[]): void => {
          if (typeof node !== "object" || node === null) return;
          for (const [name, inner] of Object.entries(node)) {
            const here = [...path, Array.isArray(node) ? Number(name) : name];
            const position = located.locate(here);
            expect(position, JSON.stringify(here)).toBeDefined();
            if (!Array.isArray(node)) {
              const rest = lines[position!.line - 1]!.slice(position!.column - 1).replace(/^[?[\s]*/, "");
              const first = name[0]!;
              expect([first, '"', "'"]).toContain(rest[0]);
            }
            walk(inner, here);
          }
        };
        walk(value, []);
      }),
      { numRuns: 150 },
    );
  });

  it("read what JSON.parse reads, and refuse what it refuses", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.constantFrom("", ",", "}", '"', "x", "]", "\n"), (text, where, extra) => {
        const at = where % (text.length + 1);
        const mutated = text.slice(0, at) + extra + text.slice(at);
        let value: unknown;
        let valid = true;
        try {
          value = JSON.parse(mutated);
        } catch {
          valid = false;
        }
        if (!valid) expect(() => parseConfigText(mutated, "json", "f")).toThrow(ConfigError);
        else {
          try {
            expect(parseConfigText(mutated, "json", "f").value).toEqual(value);
          } catch (err) {
            expect(String(err)).toMatch(/stands there twice|does not mean/);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
