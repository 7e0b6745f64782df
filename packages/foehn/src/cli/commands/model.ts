// foehn model: the networks that --model can name, and their settings.

import { table } from "../io.js";
import type { DefineVerb } from "../verb.js";

/** foehn model list | show */
export const define: DefineVerb = (command, run) => {
  command.usage("list | show <name>");
  command
    .command("list")
    .description("List the networks that --model can name.")
    .action(
      run(async (console) => {
        const { networks } = await import("../../models/registry.js");
        const list = networks.list().map((n) => ({
          name: n.modelName,
          type: n.modelType,
          onnx: n.onnxSupported,
          settings: Object.keys(defaultsOf(n.settings)),
        }));
        const rows = list.map((n) => [n.name, n.type, n.onnx ? "ONNX" : "", n.settings.join(", ")]);
        console.result(list, table([["name", "type", "export", "settings"], ...rows]));
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
        const [{ networks }, { z }] = await Promise.all([import("../../models/registry.js"), import("zod")]);
        const network = networks.get(name);
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
};

interface JsonSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string; readonly enum?: readonly unknown[] }>>;
}

/** Every setting has a default, so that an empty block gives all of them. */
function defaultsOf(schema: { safeParse(value: unknown): { data?: unknown } }): Record<string, unknown> {
  return (schema.safeParse({}).data ?? {}) as Record<string, unknown>;
}
