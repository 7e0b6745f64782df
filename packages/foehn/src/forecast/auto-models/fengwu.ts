// FengWu, the published 13-level network: one ONNX file, two states 6 h apart on the channels, (B, 2·69, Y, X) normalised, oldest first. The
// first 69 channels of the output are the state 6 h on; what follows (12 h on) is not used, as in the authors' own inference. Sources:
// github.com/OpenEarthLab/FengWu (inference.py, README), Earth2Studio. Chen et al. 2023, arXiv:2304.02948.

import { ModelError } from "../../core/errors.js";
import type { PackageFiles } from "../../hub/package-files.js";
import { fengwuChannels } from "../../hub/published-channels.js";
import { type ModelFunction, ModuleStepper, rowByRow } from "../module-stepper.js";
import { gridShapeOf, openOnnxFile, requireInput } from "../onnx-file.js";
import type { OpenLoop } from "../open-loop.js";
import { loopOf } from "../time-stepper.js";
import { gridOfSize, modelFiles, readStatistics } from "./model-files.js";
import { knownKwargs, type LoadModelOptions } from "./model-loader.js";

const step = 6 * 3600;
const levels = 2;

/**
 * Loads FengWu. `fengwu_v1.onnx` is for ERA5, `fengwu_v2.onnx` for operational analyses; v1 is taken where both are there.
 * @param options.kwargs `version`: 1 or 2
 */
export async function loadFengWu(files: PackageFiles, options: LoadModelOptions): Promise<OpenLoop> {
  const { version } = knownKwargs(options, "FengWu", ["version"]);
  const found = modelFiles(files);
  const known =
    version === undefined ? ["fengwu_v1.onnx", "fengwu.onnx", "fengwu_v2.onnx"] : [`fengwu_v${version}.onnx`];
  const path = await found.need(...known);
  // The authors' repository and Earth2Studio's package name the tables differently.
  const statistics = readStatistics(
    await found.need("global_means.npy", "data_mean.npy"),
    await found.need("global_stds.npy", "data_std.npy"),
    fengwuChannels,
  );
  const session = await openOnnxFile(path, options);
  try {
    const input = requireInput(session, "input", 4);
    const shape = gridShapeOf(input);
    const channels = fengwuChannels.length;
    if (!shape || input.shape[1] !== levels * channels) {
      throw new ModelError(`the file takes (${input.shape.join(", ")}), FengWu (batch, ${levels * channels}, Y, X)`, {
        where: path,
      });
    }
    const forward: ModelFunction = async (x) => {
      const results = await session.run({ input: x.reshape([x.size(0), levels * channels, ...shape]) });
      return Object.values(results)[0]!.narrow(1, 0, channels);
    };
    return loopOf(
      new ModuleStepper({
        forward: input.shape[0] === 1 ? rowByRow(forward) : forward,
        inChannelNames: fengwuChannels,
        grid: gridOfSize(shape, options.description, path),
        nHistoryLevels: levels,
        timeStep: step,
        inputStatistics: statistics,
        outputStatistics: statistics,
        dispose: () => session.dispose(),
      }),
    );
  } catch (error) {
    session.dispose();
    throw error;
  }
}
