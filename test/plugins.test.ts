// Plugins through the real command: a file, an installed package, the example project, packages that need one, and what is said
// when something is wrong. And the guide, as it is written.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { runProcess } from "../packages/foehn/src/cli/process.test-support.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "foehn-plugins-"));
const foehn = (...argv: string[]) => runProcess(argv, { cwd: folder });
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const short = [
  "--limit-train-batches",
  "2",
  "--limit-val-batches",
  "1",
  "--threads",
  "1",
  "--observers",
  "none",
  "--quiet",
];

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docs/guides/your-model.md", () => {
  const page = readFileSync(join(root, "docs/guides/your-model.md"), "utf8");
  write("my-model.ts", /```ts\n([\s\S]*?)```/.exec(page)![1]!);
  const lines = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => match[1]!.trim().split("\n"));
  const commands = lines.map((line) => line.split(" ").slice(2));

  it("runs as it is written, and its package says which plugin it needs", async () => {
    expect(commands.map(([verb]) => verb)).toEqual(["model", "train", "model", "export"]);
    for (const command of commands) {
      const { status, stderr } = await foehn(...command, ...(command[0] === "train" ? short : []));
      expect(status, `${command.join(" ")}\n${stderr}`).toBe(0);
    }
    const manifest = JSON.parse(readFileSync(join(folder, "my-package/metadata.json"), "utf8")) as object;
    expect(manifest).toMatchObject({ architecture: "mymodel", plugins: ["my-model.ts"], settings: { width: 16 } });

    // The package remembers what it needs.
    const { status, stderr } = await foehn("export", "onnx", "my-package", "-o", "again.onnx");
    expect(status).toBe(1);
    expect(stderr).toMatch(/needs the network "mymodel" of the plugin my-model\.ts\n hint: pass --plugin/);
  }, 240_000);
});

describe("a plugin file that registers by itself", () => {
  it("brings a loss", async () => {
    const text = `import { losses } from "foehn";
import { z } from "zod";
losses.register({
  name: "worst",
  summary: "largest squared error",
  settings: z.strictObject({}),
  create: () => ({ forward: (p, t) => p.tensor.sub(t.tensor).square().amax({ dim: [2, 3, 4] }), dispose() {} }),
});
`;
    write("worst.ts", text);
    const options = ["--dataset", "dummy", "--model-settings", "num_filters=4", "--epochs", "1", "--output", "worst"];
    const { status, stderr } = await foehn("train", ...options, "--plugin", "worst.ts", "--loss", "worst", ...short);
    expect(status, stderr).toBe(0);
  }, 120_000);
});

describe("the example project", () => {
  it("works when it is installed, nested or scoped, and a training remembers it", async () => {
    cpSync(join(root, "examples/plugin"), join(folder, "node_modules/foehn-plugin-example"), { recursive: true });
    mkdirSync(join(folder, "deep/er"), { recursive: true });
    const list = await runProcess(["model", "list"], { cwd: join(folder, "deep/er") });
    expect(list.stdout).toMatch(/residualconv +convolutional +ONNX +width, num_layers +foehn-plugin-example@0\.1\.0/);
    const options = ["--dataset", "dummy", "--model", "residualconv", "--model-settings", "width=4", "--epochs", "1"];
    const run = await foehn("train", ...options, "--output", "residual", ...short);
    expect(run.stderr).toBe("");
    const manifest = JSON.parse(readFileSync(join(folder, "residual/metadata.json"), "utf8")) as object;
    expect(manifest).toMatchObject({ plugins: ["foehn-plugin-example@0.1.0"] });
    renameSync(join(folder, "node_modules"), join(folder, "elsewhere"));
    const without = await foehn("export", "onnx", "residual");
    expect(without.stderr).toContain("npm install foehn-plugin-example@0.1.0");
    renameSync(join(folder, "elsewhere"), join(folder, "node_modules"));
  }, 240_000);

  it("takes compiled packages of a scope, and strategies from a config file", async () => {
    const home = join(folder, "node_modules/@me/foehn-plugin-half");
    mkdirSync(home, { recursive: true });
    writeFileSync(
      join(home, "package.json"),
      '{"name":"@me/foehn-plugin-half","version":"2.0.0","type":"module","main":"i.js"}',
    );
    writeFileSync(
      join(home, "i.js"),
      `import { Strategy } from "foehn";
import { z } from "zod";
export class Half extends Strategy {
  static strategyName = "half_ar";
  static summary = "half of the increment";
  static settings = z.strictObject({});
  forcesBorder = false;
  update({ lastState, output }) { return lastState.add(output.mul(0.5)); }
}
`,
    );
    write(
      "run.toml",
      'dataset = "dummy"\nmodel = "mymodel"\nstrategy = "half_ar"\nplugins = ["my-model.ts"]\nepochs = 1\n',
    );
    const { status, stderr } = await foehn("train", "--config", "run.toml", "--output", "half", ...short);
    expect(status, stderr).toBe(0);
    const manifest = JSON.parse(readFileSync(join(folder, "half/metadata.json"), "utf8")) as object;
    expect(manifest).toMatchObject({ strategy: "half_ar", plugins: ["my-model.ts", "@me/foehn-plugin-half@2.0.0"] });
  }, 240_000);
});

describe("what is wrong with a plugin is said with its place", () => {
  const network = (name: string) =>
    `import { Network } from "foehn";\nimport { z } from "zod";\nexport class Mine extends Network {\n` +
    `  static modelName = "${name}";\n  static modelType = "identity";\n  static onnxSupported = false;\n` +
    "  static settings = z.strictObject({});\n  forward(x) { return x; }\n}\n";

  it.each<[string, string, RegExp]>([
    [
      "syntax.ts",
      'import { Network } from "foehn";\n\nexport const x: number = ;\n',
      /does not load: Unexpected.*\n.*syntax\.ts:3:\d+/,
    ],
    [
      "throws.ts",
      "const a = null as unknown as { b: 1 };\n\nexport const x = a.b;\n",
      /reading 'b'.*\n.*throws\.ts:3:\d+/,
    ],
    [
      "import.ts",
      'import { y } from "./none.js";\nexport const x = y;\n',
      /Cannot find module '\.\/none\.js'\n.*import\.ts/,
    ],
    ["empty.ts", "export const x = 1;\n", /exports neither a network, nor a strategy, nor an observer/],
    ["clash.ts", network("Half-UNet"), /called "Half-UNet": HalfUNet of Foehn itself and Mine of clash\.ts/],
    [
      "half.ts",
      network("m").replace("static settings", "static setting"),
      /class Mine of the plugin half\.ts has no static settings/,
    ],
  ])("%s", async (name, text, message) => {
    write(name, text);
    const { status, stderr } = await foehn("model", "show", "halfunet", "--plugin", name);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at .*node_modules|\.js:\d+:\d+\)/m);
  });

  it("a file that is not there, with the nearest name", async () => {
    const { status, stderr } = await foehn("--plugin", "my-modl.ts", "model", "list");
    expect(status).toBe(2);
    expect(stderr).toContain('Did you mean "my-model.ts"?');
  });

  it("a failing check, by name and exit status", async () => {
    write("wrong.ts", network("wrong"));
    const { status, stdout, stderr } = await foehn(
      "model",
      "check",
      "wrong",
      "--plugin",
      "wrong.ts",
      "--input-shape",
      "8x8",
    );
    expect(status).toBe(1);
    expect(stdout).toMatch(/✗ output shapes +batch 1 of 8×8 gives \(1, 8, 8, 5\), expected \(1, 8, 8, 3\)/);
    expect(stderr).toContain("wrong fails 1 of 11 checks");
  });

  it("brings datasets, losses and observers, which only its names ask for", async () => {
    const home = join(folder, "node_modules/foehn-plugin-names");
    mkdirSync(home, { recursive: true });
    const manifest = { name: "foehn-plugin-names", version: "1.0.0", type: "module", main: "i.js" };
    writeFileSync(join(home, "package.json"), JSON.stringify(manifest));
    writeFileSync(
      join(home, "i.js"),
      `import { losses, openDataset, registerDataset } from "foehn";
import { z } from "zod";
registerDataset({ name: "noise", summary: "dummy once more", open: (options) => openDataset("dummy", options) });
losses.register({
  name: "none_at_all",
  summary: "nothing",
  settings: z.strictObject({}),
  create: () => ({ forward: (prediction) => prediction.tensor.mean({ dim: [2, 3, 4] }).mul(0), dispose() {} }),
});
export const seen = {
  name: "seen",
  summary: "how many batches",
  everyPass: true,
  create: () => {
    let count = 0;
    return { update: () => void count++, finish: (report) => report.scalar("batches_seen", count) };
  },
};
`,
    );
    expect((await foehn("dataset", "list")).stdout).toMatch(/noise +dummy once more/);
    expect((await foehn("dataset", "inspect", "noise")).stdout).toContain("input_output_00");
    const sizes = ["--limit-train-batches", "1", "--limit-val-batches", "1", "--threads", "1", "--quiet"];
    for (const [given, found] of [
      [["--dataset", "noise"], "dataset"],
      [["--dataset", "dummy", "--loss", "none_at_all"], "loss"],
      [["--dataset", "dummy", "--observers", "seen"], "observer"],
    ] as const) {
      const run = await foehn("train", "--model", "identity", "--epochs", "1", ...given, "--output", found, ...sizes);
      expect(run.stderr).toBe("");
    }
  }, 240_000);
});
