// Pangu-Weather: ONNX files for steps of 24, 6, 3 and 1 h, alone or interleaved. Inputs `input` (5, 13, Y, X) and `input_surface` (4, Y, X),
// outputs `output` and `output_surface`, physical units, one row at a time. Sources: github.com/198808xc/Pangu-Weather (README), the loaders
// of earth2mip and Earth2Studio. Bi et al. 2023, Nature 619, 533.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../../core/errors.js";
import type { PublishedModel } from "../../hub/catalogue.js";
import type { PackageFiles } from "../../hub/package-files.js";
import { channelSet } from "../../variables/channel-sets.js";
import { interleave } from "../interleave.js";
import { type ModelFunction, ModuleStepper, rowByRow } from "../module-stepper.js";
import { gridShapeOf, openOnnxFile, requireInput } from "../onnx-file.js";
import type { OpenLoop } from "../open-loop.js";
import { loopOf } from "../time-stepper.js";
import { gridOfSize, modelFiles } from "./model-files.js";
import { knownKwargs, type LoadModelOptions } from "./model-loader.js";

const families = 5;
const surface = 4;
const stepHours = [24, 6, 3, 1];

/**
 * Loads one or several of the files.
 * @param options.kwargs `time_step_hours`: the loop of that one file instead
 * @throws ModelError when a file is missing or has other inputs
 */
export async function loadPangu(
  files: PackageFiles,
  options: LoadModelOptions,
  { name }: Pick<PublishedModel, "name">,
): Promise<OpenLoop> {
  const { time_step_hours } = knownKwargs(options, "Pangu-Weather", ["time_step_hours"]);
  const hours = time_step_hours === undefined ? hoursOf(name) : [requireHours(time_step_hours)];
  const found = modelFiles(files);
  const loops: OpenLoop[] = [];
  try {
    for (const step of hours) loops.push(await openStep(await found.need(`pangu_weather_${step}.onnx`), step, options));
    return loops.length === 1 ? loops[0]! : interleave(loops);
  } catch (error) {
    for (const loop of loops) loop[Symbol.dispose]();
    throw error;
  }
}

function hoursOf(name: string): readonly number[] {
  switch (name) {
    case "pangu_24":
      return [24];
    case "pangu_6":
      return [6];
    case "pangu_3":
      return [24, 6, 3];
    case "pangu_1":
      return [24, 6, 3, 1];
    default:
      return [24, 6];
  }
}

function requireHours(value: unknown): number {
  if (stepHours.includes(Number(value))) return Number(value);
  throw new ModelError(`time_step_hours must be one of ${stepHours.join(", ")}, got ${JSON.stringify(value)}`, {
    where: "entrypoint.kwargs",
  });
}

async function openStep(path: string, hours: number, options: LoadModelOptions): Promise<OpenLoop> {
  const session = await openOnnxFile(path, options);
  try {
    const upper = requireInput(session, "input", 4);
    const below = requireInput(session, "input_surface", 3);
    const channels = channelSet("var_pangu");
    const shape = gridShapeOf(upper);
    const levels = (channels.length - surface) / families;
    if (!shape || upper.shape[0] !== families || upper.shape[1] !== levels || below.shape[0] !== surface) {
      throw new ModelError(
        `the file takes (${upper.shape.join(", ")}) and (${below.shape.join(", ")}), Pangu-Weather (${families}, ${levels}, Y, X) and (${surface}, Y, X)`,
        { where: path },
      );
    }
    const forward: ModelFunction = async (x) => {
      const row = x.select(0, 0);
      const [ny, nx] = shape;
      const results = await session.run({
        input: row.narrow(0, 0, families * levels).reshape([families, levels, ny, nx]),
        input_surface: row.narrow(0, families * levels, surface),
      });
      const parts = ["output", "output_surface"].map((name) =>
        requireOutput(results, name, path).reshape([-1, ny, nx]),
      );
      return torch.cat(parts, { dim: 0 }).unsqueeze(0);
    };
    return loopOf(
      new ModuleStepper({
        forward: rowByRow(forward),
        inChannelNames: channels,
        grid: gridOfSize(shape, options.description, path),
        timeStep: hours * 3600,
        dispose: () => session.dispose(),
      }),
    );
  } catch (error) {
    session.dispose();
    throw error;
  }
}

/** @throws ModelError naming the outputs that there are */
export function requireOutput(results: Readonly<Record<string, Tensor>>, name: string, path: string): Tensor {
  const found = results[name];
  if (found) return found;
  throw new ModelError(`the ONNX file has no output "${name}"`, {
    where: path,
    hint: `it has ${Object.keys(results).join(", ")}`,
  });
}
