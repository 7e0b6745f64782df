// foehn model: the networks that --model can name, their settings, the conformance suite for authors of networks; the published models.

import { ModelError } from "../../core/errors.js";
import { withInterrupt } from "../../core/interrupt.js";
import type { NetworkClass } from "../../models/network.js";
import { type Console, table } from "../io.js";
import { integerOption, settingOption, sizesOption, threadsOption } from "../options.js";
import type { DefineVerb } from "../verb.js";

/** foehn model list | show | check */
export const define: DefineVerb = (command, run) => {
  command.usage("list | show <name> | check <name>");
  command
    .command("list")
    .description("List the networks that --model can name, or with --remote the published models.")
    .option("--remote", "the catalogue of published models: where their weights are, and whether they load here")
    .addHelpText("after", "\nExamples:\n  foehn model list\n  foehn model list --remote\n")
    .action(
      run(async (console, flags: { remote?: boolean }) => {
        if (flags.remote) return listPublished(console);
        const [{ networks }, { loadInstalledPlugins }] = await Promise.all([
          import("../../models/registry.js"),
          import("../../training/plugins.js"),
        ]);
        await loadInstalledPlugins();
        const list = networks.list().map((n) => ({
          name: n.modelName,
          type: n.modelType,
          onnx: n.onnxSupported,
          plugin: networks.originOf(n.modelName) ?? null,
          settings: Object.keys(defaultsOf(n.settings)),
        }));
        const hasPlugins = list.some((n) => n.plugin !== null);
        const rows = [
          ["name", "type", "export", "settings", ...(hasPlugins ? ["plugin"] : [])],
          ...list.map((n) => [n.name, n.type, n.onnx ? "ONNX" : "", n.settings.join(", "), n.plugin ?? ""]),
        ];
        console.result(list, table(rows));
      }),
    );
  command
    .command("show")
    .description("Show the settings of a network, with their defaults, as they go into --model-conf.")
    .argument("<name>", "name of the network")
    .option("--schema", "print the JSON Schema of the settings")
    .addHelpText("after", "\nExample:\n  foehn model show halfunet\n")
    .action(
      run(async (console, options: { schema?: boolean }, name: string) => {
        const [network, { z }] = await Promise.all([findNetwork(name), import("zod")]);
        const schema = z.toJSONSchema(network.settings, { io: "input", unrepresentable: "any" }) as JsonSchema;
        if (options.schema) {
          console.result(schema, JSON.stringify(schema, null, 2));
          return;
        }
        const defaults = defaultsOf(network.settings);
        const rows = Object.entries(defaults).map(([key, value]) => {
          const property = schema.properties?.[key];
          const choices = property?.enum?.map(String).join(", ");
          const about = [property?.description, choices && `one of ${choices}`].filter(Boolean).join("; ");
          return [key, JSON.stringify(value) ?? "", about];
        });
        console.result(
          { name: network.modelName, type: network.modelType, onnx: network.onnxSupported, settings: defaults },
          `${network.modelName}: ${network.modelType}${network.onnxSupported ? ", exports to ONNX" : ""}\n\n` +
            (rows.length === 0 ? "It has no settings." : table([["setting", "default", ""], ...rows])),
        );
      }),
    );
  command
    .command("check")
    .description("Run the conformance suite on a network: everything that training, packages and forecasts rely on.")
    .argument("<name>", "name of the network")
    .addOption(
      settingOption("--model-settings <key=value>", "a setting of the model; values may be JSON; may be repeated"),
    )
    .addOption(sizesOption("--input-shape <HxW>", "size of the grid; default 64x64"))
    .addOption(integerOption("--inputs <n>", "input features; default 5", { min: 1 }))
    .addOption(integerOption("--outputs <n>", "output features; default 3", { min: 1 }))
    .addOption(integerOption("--seed <n>", "of weights and inputs; default 42", { min: 0 }))
    .addOption(threadsOption())
    .addHelpText(
      "after",
      `
Examples:
  foehn model check mymodel --plugin my-model.ts
  foehn model check halfunet --model-settings num_filters=8 --input-shape 33x50

One line per check; exit status 1 when one fails.
`,
    )
    .action(run((console, flags: CheckFlags, name: string) => check(console, name, flags)));
};

/** Prints the catalogue; asks no network. */
async function listPublished(console: Console): Promise<void> {
  const { publishedModels } = await import("../../hub/catalogue.js");
  const models = publishedModels();
  const rows = models.map(({ name, title, license, uri, notLoadable }) => [
    `builtin://${name}`,
    title,
    notLoadable === undefined ? "loads" : "–",
    license ?? "see the publisher",
    uri,
  ]);
  const reasons = models.filter((model) => model.notLoadable !== undefined);
  const value = models.map(({ stepSeconds, notLoadable, ...model }) => ({
    ...model,
    license: model.license ?? null,
    grid: model.grid ?? null,
    step_hours: stepSeconds === undefined ? null : stepSeconds / 3600,
    channels: model.channels ?? null,
    loadable: notLoadable === undefined,
    not_loadable_because: notLoadable ?? null,
  }));
  console.result(
    value,
    [
      table([["address", "model", "", "licence", "weights"], ...rows]),
      "",
      `${reasons.length} of these are not loadable here:`,
      table(reasons.map((model) => [model.name, model.notLoadable ?? ""])),
    ].join("\n"),
  );
}

interface CheckFlags {
  readonly modelSettings?: Readonly<Record<string, unknown>>;
  readonly inputShape?: readonly number[];
  readonly inputs?: number;
  readonly outputs?: number;
  readonly seed?: number;
  readonly threads?: number;
}

async function check(console: Console, name: string, flags: CheckFlags): Promise<void> {
  (await import("../../training/threads.js")).useThreads(flags.threads ?? null);
  const network = await findNetwork(name);
  const { checkNetwork } = await import("../../models/conformance/check-network.js");
  const outcomes = await withInterrupt((signal) =>
    checkNetwork(network, {
      signal,
      ...(flags.modelSettings && { settings: flags.modelSettings }),
      ...(flags.inputShape && { inputShape: flags.inputShape }),
      ...(flags.inputs !== undefined && { numInputFeatures: flags.inputs }),
      ...(flags.outputs !== undefined && { numOutputFeatures: flags.outputs }),
      ...(flags.seed !== undefined && { seed: flags.seed }),
    }),
  );
  const marks = { passed: "✓", failed: "✗", "not checked": "–" };
  const lines = outcomes.map((outcome) => {
    const detail = outcome.status === "not checked" ? `not checked: ${outcome.detail}` : outcome.detail;
    return [`${marks[outcome.status]} ${outcome.name}`, detail];
  });
  console.result({ name: network.modelName, checks: outcomes }, table(lines));
  const failed = outcomes.filter((outcome) => outcome.status === "failed").length;
  if (failed === 0) return;
  throw new ModelError(`${network.modelName} fails ${failed} of ${outcomes.length} checks`, {
    hint: "docs/guides/your-model.md says what a network promises",
  });
}

/** A network by name, from an installed plugin if need be. */
async function findNetwork(name: string): Promise<NetworkClass> {
  const [{ networks }, { loadPluginsFor }] = await Promise.all([
    import("../../models/registry.js"),
    import("../../training/plugins.js"),
  ]);
  await loadPluginsFor({ model: name });
  return networks.get(name);
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string; readonly enum?: readonly unknown[] }>>;
}

/** Every setting has a default, so that an empty block gives all of them. */
function defaultsOf(schema: { safeParse(value: unknown): { data?: unknown } }): Record<string, unknown> {
  return (schema.safeParse({}).data ?? {}) as Record<string, unknown>;
}
