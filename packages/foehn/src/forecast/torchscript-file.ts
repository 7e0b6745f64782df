// A TorchScript archive as a model: forward(x) or forward(x, times) with channels first; with `add_zenith` in a config.json beside it, as
// earth2mip's `loaders.torchscript` reads it, the cosine of the solar zenith angle is appended as the last channel.

import { readFile } from "node:fs/promises";
import * as torch from "@foehn/torch";
import { z } from "zod";
import { parseConfigText, validateSettings } from "../core/config.js";
import { FormatError } from "../core/errors.js";
import type { Grid } from "../grid/grid.js";
import { type TimedForward, withCosZenith } from "../models/cos-zenith.js";
import type { ModelFunction } from "./module-stepper.js";

const configSchema = z.looseObject({ add_zenith: z.boolean().default(false) });

/** What `torchScriptFunction` needs. */
export interface TorchScriptFile {
  readonly path: string;
  /** The config.json, where there is one. */
  readonly config?: string | undefined;
  readonly grid: Grid;
  readonly historyTimeStep: number;
  readonly device: string;
}

/** A function and what frees it. */
export interface OpenFunction {
  readonly forward: ModelFunction;
  readonly notes: readonly string[];
  dispose(): void;
}

/** @throws FormatError when the archive cannot be loaded; ConfigError for a wrong config.json */
export async function torchScriptFunction(file: TorchScriptFile): Promise<OpenFunction> {
  const { path, config, grid, historyTimeStep, device } = file;
  const settings =
    config === undefined
      ? { add_zenith: false }
      : validateSettings(configSchema, parseConfigText(await readFile(config, "utf8"), "json", config).value, config);
  let script: torch.jit.ScriptModule;
  try {
    script = torch.jit.load(path, { device });
  } catch (error) {
    throw new FormatError(error instanceof Error ? error.message : String(error), { where: path, cause: error });
  }
  script.eval();
  const schema = script.methods().find(({ name }) => name === "forward")?.schema ?? "";
  // forward(self, Tensor x) or forward(self, Tensor x, times)
  const takesTime = parameters(schema) > 2;
  const plain: TimedForward = (x, times) =>
    torch.scope(() => {
      const inputs = takesTime ? [x, torch.tensor(times.map(BigInt), { dtype: "int64", device })] : [x];
      return script.forwardSync(...inputs) as torch.Tensor;
    });
  return {
    forward: settings.add_zenith ? withCosZenith(plain, grid, historyTimeStep) : plain,
    notes: settings.add_zenith ? ["the cosine of the solar zenith angle is appended as the last channel"] : [],
    dispose: () => script.dispose(),
  };
}

/** Parameters of a method, self included, from `forward(__torch__.Net self, Tensor x) -> Tensor`. */
function parameters(schema: string): number {
  const list = /\(([^)]*)\)/.exec(schema)?.[1] ?? "";
  return list === "" ? 0 : list.split(",").length;
}
