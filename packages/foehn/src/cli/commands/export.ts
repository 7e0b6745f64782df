// foehn export: a package's network as a file for other programs.

import { basename } from "node:path";
import type { TorchScriptExportResult } from "../../hub/export.js";
import type { ModelPackage } from "../../hub/model-package.js";
import { table } from "../io.js";
import { integerOption, numberOption, overwriteOption } from "../options.js";
import { formatBytes } from "../sizes.js";
import type { DefineVerb } from "../verb.js";

interface OnnxFlags {
  readonly output?: string;
  readonly opset?: number;
  readonly tolerance?: number;
  readonly overwrite?: boolean;
}

const packageArgument = ["<package>", "folder, address (https, s3, hf, ngc), or a name in MODEL_REGISTRY"] as const;
const toleranceOption = () =>
  numberOption("--tolerance <x>", "largest difference, relative to the largest value; default 1e-4", {
    min: 0,
    above: true,
  });

interface TorchScriptFlags {
  readonly output?: string;
  readonly tolerance?: number;
  readonly overwrite?: boolean;
}

/** foehn export onnx | torchscript */
export const define: DefineVerb = (command, run) => {
  command.usage("onnx <package> | torchscript <package>");
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
        const rows = [
          ...rowsOf(made, `ONNX Runtime ${made.onnxruntime}`),
          ["operators", `${made.nodes}, opset ${made.opset}`],
        ];
        console.result(made, table(rows));
      }),
    );
  command
    .command("torchscript")
    .description("Write a package's network as a TorchScript archive, which Python's torch.jit.load reads.")
    .argument(...packageArgument)
    .option("-o, --output <file>", "where the file goes (default: <name of the package>.pt)")
    .addOption(toleranceOption())
    .addOption(overwriteOption())
    .addHelpText("after", "\nExample:\n  foehn export torchscript my-model -o my-model.pt\n")
    .action(
      run(async (console, flags: TorchScriptFlags, name: string) => {
        const { exportPackageTorchScript } = await import("../../hub/export.js");
        const pkg = await open(name);
        const { output, ...options } = flags;
        console.info(`tracing ${pkg.manifest.architecture}, then comparing the archive with it`);
        const made = await exportPackageTorchScript(pkg, output ?? `${basename(pkg.path)}.pt`, options);
        console.result(made, table(rowsOf(made, "libtorch")));
      }),
    );
};

function rowsOf(made: TorchScriptExportResult, comparedIn: string): string[][] {
  const grid = made.inputShape.slice(0, -1).join(", ");
  const [off, relative] = [made.maxDifference.toExponential(1), made.maxRelativeDifference.toExponential(1)];
  return [
    ["file", `${made.path}, ${formatBytes(made.bytes)}`],
    ["input", `input (batch, ${grid}, ${made.inputFeatures.length})`],
    ["output", `output (batch, ${grid}, ${made.outputFeatures.length})`],
    [
      "difference",
      `${off} at most, ${relative} of the largest value (${comparedIn}, batches of ${made.batchSizes.join(" and ")})`,
    ],
  ];
}

async function open(name: string): Promise<ModelPackage> {
  const { openPackage } = await import("../../hub/model-package.js");
  return openPackage(name);
}
