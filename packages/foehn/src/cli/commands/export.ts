// foehn export: a package's network as a file for other programs.

import { basename } from "node:path";
import type { Package } from "../../hub/package.js";
import { table } from "../io.js";
import { integerOption, numberOption, overwriteOption } from "../options.js";
import type { DefineVerb } from "../verb.js";

interface OnnxFlags {
  readonly output?: string;
  readonly opset?: number;
  readonly tolerance?: number;
  readonly overwrite?: boolean;
}

const packageArgument = ["<package>", "folder, file:// address, or a name in MODEL_REGISTRY"] as const;
const toleranceOption = () =>
  numberOption("--tolerance <x>", "largest difference, relative to the largest value; default 1e-4", {
    min: 0,
    above: true,
  });

/** foehn export onnx */
export const define: DefineVerb = (command, run) => {
  command.usage("onnx <package>");
  command
    .command("onnx")
    .description("Write a package's network as an ONNX file, and check it with ONNX Runtime.")
    .argument(...packageArgument)
    .option("-o, --output <file>", "where the file goes (default: <name of the package>.onnx)")
    .addOption(integerOption("--opset <n>", "version of ONNX's operator set; default 17", { min: 17, max: 21 }))
    .addOption(toleranceOption())
    .addOption(overwriteOption())
    .addHelpText("after", "\nExample:\n  foehn export onnx my-model -o my-model.onnx\n")
    .action(
      run(async (console, flags: OnnxFlags, name: string) => {
        const { exportPackageOnnx } = await import("../../hub/export.js");
        const pkg = await open(name);
        const { output, ...options } = flags;
        console.info(`tracing ${pkg.manifest.architecture}, then comparing with ONNX Runtime`);
        const made = await exportPackageOnnx(pkg, output ?? `${basename(pkg.path)}.onnx`, options);
        const rows: [string, string][] = [
          ["file", `${made.path}, ${(made.bytes / 2 ** 20).toFixed(1)} MiB`],
          ["operators", `${made.nodes}, opset ${made.opset}`],
          ["input", `input (batch, ${made.inputShape.join(", ")})`],
          ["output", `output (batch, ${made.inputShape.slice(0, -1).join(", ")}, ${made.outputFeatures.length})`],
          [
            "difference",
            `${made.maxDifference.toExponential(1)} at most, ${made.maxRelativeDifference.toExponential(1)} of the largest value ` +
              `(ONNX Runtime ${made.onnxruntime}, batches of ${made.batchSizes.join(" and ")})`,
          ],
        ];
        console.result(made, table(rows));
      }),
    );
};

async function open(name: string): Promise<Package> {
  const { openPackageAt } = await import("../../hub/uri.js");
  return openPackageAt(name);
}
