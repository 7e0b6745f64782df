// ONNX files as models: opened with messages that say what to do, and the plain case, one input and one output, as a ModelFunction.
// Published models with inputs of their own (Pangu, FuXi, FengWu) are in auto-models/.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { FormatError, ModelError } from "../core/errors.js";
import { type ModelFunction, rowByRow } from "./module-stepper.js";

/** Options of `openOnnxFile`. */
export interface OnnxFileOptions {
  readonly device?: string | undefined;
}

/** Opens an ONNX file. @throws ModelError without ONNX Runtime; FormatError when the file is no model that it can run */
export async function openOnnxFile(
  path: string,
  { device = "cpu" }: OnnxFileOptions = {},
): Promise<torch.onnx.OnnxSession> {
  try {
    return await torch.onnx.openOnnx(path, { device });
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ERR_TORCH_ONNX_RUNTIME") {
      throw new ModelError("this model is an ONNX file, and ONNX Runtime is not installed", {
        where: path,
        hint: "install it beside foehn: npm install onnxruntime-node --ignore-scripts",
        cause: error,
      });
    }
    if (code === "ERR_TORCH_ONNX") {
      const text = (error as Error).message.split("\n")[0]!;
      throw new FormatError(`the ONNX file cannot be opened: ${text}`, {
        where: path,
        hint: "it may be cut short; files over 2 GB keep their weights in a second file, which must lie beside it",
        cause: error,
      });
    }
    throw error;
  }
}

/** An input by its name. @throws ModelError listing those that there are */
export function requireInput(session: torch.onnx.OnnxSession, name: string, rank: number): torch.onnx.OnnxPort {
  const found = session.inputs.find((input) => input.name === name);
  const list = () => session.inputs.map((input) => `${input.name} (${input.shape.join(", ")})`).join("; ");
  if (!found)
    throw new ModelError(`the ONNX file has no input "${name}"`, { where: session.path, hint: `it has ${list()}` });
  if (found.shape.length === rank) return found;
  throw new ModelError(`the input "${name}" of the ONNX file has ${found.shape.length} dimensions, expected ${rank}`, {
    where: session.path,
    hint: `it has ${list()}`,
  });
}

/** Rows and columns of an input's last two dimensions; undefined where the file leaves them open. */
export function gridShapeOf({ shape }: torch.onnx.OnnxPort): readonly [ny: number, nx: number] | undefined {
  const [ny, nx] = shape.slice(-2);
  return typeof ny === "number" && typeof nx === "number" && ny > 0 && nx > 0 ? [ny, nx] : undefined;
}

/** What a plain model is expected to take and give. */
export interface PlainOnnxModel {
  readonly inputs: number;
  readonly nHistoryLevels: number;
  readonly shape: readonly [ny: number, nx: number];
}

/**
 * A file with one input and one output as a function: (B, C, Y, X), or with a history (B, H, C, Y, X) or (B, H·C, Y, X), or features last,
 * (B, Y, X, C). A file for one row is run row by row.
 * @throws ModelError when the file takes something else
 */
export function plainOnnxFunction(session: torch.onnx.OnnxSession, model: PlainOnnxModel): ModelFunction {
  const [input, ...others] = session.inputs;
  const { path } = session;
  if (!input || others.length > 0 || session.outputs.length === 0) {
    throw new ModelError(`the ONNX file takes ${session.inputs.map(({ name }) => name).join(", ") || "nothing"}`, {
      where: path,
      hint: "a model of one file has one input: the normalised channels. Others need a loader: see entrypoint in the guide to packages",
    });
  }
  const { inputs: channels, nHistoryLevels: levels, shape } = model;
  const [ny, nx] = shape;
  const layouts = [
    ...(levels === 1 ? [] : [{ sizes: [levels, channels, ny, nx], last: false }]),
    { sizes: [levels * channels, ny, nx], last: false },
    { sizes: [ny, nx, levels * channels], last: true },
  ];
  const given = input.shape.slice(1);
  const fits = (sizes: readonly number[]) =>
    sizes.length === given.length && sizes.every((size, i) => typeof given[i] !== "number" || given[i] === size);
  const layout = layouts.find(({ sizes }) => fits(sizes));
  if (!layout) {
    const wanted = layouts.map(({ sizes }) => `(batch, ${sizes.join(", ")})`).join(" or ");
    throw new ModelError(`the ONNX file takes (${input.shape.join(", ")}), metadata.json describes ${wanted}`, {
      where: path,
      hint: "grid, in_channels_names and n_history in metadata.json must be those of the file",
    });
  }
  const output = session.outputs[0]!.name;
  const run: ModelFunction = async (x) => {
    const arranged = torch.inferenceMode(() => arrange(x, layout));
    const results = await session.run({ [input.name]: arranged });
    if (arranged !== x) arranged.dispose();
    const answer = results[output]!;
    for (const [name, tensor] of Object.entries(results)) if (name !== output) tensor.dispose();
    return layout.last ? torch.inferenceMode(() => answer.permute([0, 3, 1, 2])) : answer;
  };
  return input.shape[0] === 1 ? rowByRow(run) : run;
}

function arrange(x: Tensor, { sizes, last }: { readonly sizes: readonly number[]; readonly last: boolean }): Tensor {
  return torch.scope(() => {
    if (!last) return x.reshape([x.size(0), ...sizes]);
    const [ny, nx] = x.shape.slice(-2) as [number, number];
    return x
      .reshape([x.size(0), -1, ny, nx])
      .permute([0, 2, 3, 1])
      .contiguous();
  });
}
