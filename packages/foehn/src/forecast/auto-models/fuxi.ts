// FuXi: three ONNX files, for the steps from 0, 20 and 40 on, each taking two states 6 h apart, (1, 2, 70, Y, X) in physical units with
// precipitation in mm, and an embedding of the time, and giving the next two. Sources: github.com/tpys/FuXi (fuxi.py, make_era5_input.py) and
// Earth2Studio. Chen et al. 2023, npj Climate and Atmospheric Science 6, 190.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../../core/errors.js";
import { dayOfYear } from "../../datasets/forcings.js";
import type { PackageFiles } from "../../hub/package-files.js";
import { fuxiChannels } from "../../hub/published-channels.js";
import { type ModelFunction, ModuleStepper, rowByRow } from "../module-stepper.js";
import { gridShapeOf, openOnnxFile, requireInput } from "../onnx-file.js";
import type { OpenLoop } from "../open-loop.js";
import { loopOf } from "../time-stepper.js";
import { gridOfSize, type ModelFiles, modelFiles } from "./model-files.js";
import { knownKwargs, type LoadModelOptions } from "./model-loader.js";

const step = 6 * 3600;
const levels = 2;
const rain = fuxiChannels.indexOf("tp06");

/** The files and the step from which each is used. */
const stages = [
  { from: 0, name: "short" },
  { from: 20, name: "medium" },
  { from: 40, name: "long" },
] as const;

/** Loads FuXi; the second and the third file are opened when a forecast gets there, and the one before is closed. */
export async function loadFuXi(files: PackageFiles, options: LoadModelOptions): Promise<OpenLoop> {
  knownKwargs(options, "FuXi", []);
  const found = modelFiles(files);
  const cascade = new Cascade(found, options.device);
  try {
    const first = await cascade.at(0);
    const input = requireInput(first, "input", 5);
    const shape = gridShapeOf(input);
    const channels = fuxiChannels.length;
    if (!shape || input.shape[1] !== levels || input.shape[2] !== channels) {
      throw new ModelError(`the file takes (${input.shape.join(", ")}), FuXi (1, ${levels}, ${channels}, Y, X)`, {
        where: first.path,
      });
    }
    const forward: ModelFunction = (x, [time], [start]) => cascade.run(x, time!, (time! - start!) / step);
    return loopOf(
      new ModuleStepper({
        forward: rowByRow(forward),
        inChannelNames: fuxiChannels,
        grid: gridOfSize(shape, options.description, first.path),
        nHistoryLevels: levels,
        timeStep: step,
        // The network's precipitation is in mm.
        inputStatistics: millimetres,
        outputStatistics: millimetres,
        prepare: cleanRain,
        notes: ["precipitation that is missing in the initial state counts as none"],
        dispose: () => cascade.dispose(),
      }),
    );
  } catch (error) {
    cascade.dispose();
    throw error;
  }
}

const millimetres = {
  mean: fuxiChannels.map(() => 0),
  std: fuxiChannels.map((_, i) => (i === rain ? 1e-3 : 1)),
};

/** Between 0 and 1 m, and 0 where missing: what the authors do when they make the input. */
function cleanRain(x: Tensor): Tensor {
  const cleaned = x.select(2, rain).nanToNum({ nan: 0 }).clamp({ min: 0, max: 1 });
  return x.clone().indexCopy_(2, torch.tensor([rain], { dtype: "int64", device: x.device }), cleaned.unsqueeze(2));
}

/**
 * The embedding of a time: sine and cosine of day/366 and hour/24, without a factor of 2π, at the step before, now, and the step after.
 * @param time of the newest state, epoch seconds UTC
 * @returns 12 numbers
 */
export function timeEmbedding(time: number): number[] {
  return [time - step, time, time + step].flatMap((at) => {
    const parts = [dayOfYear(at) / 366, new Date(at * 1000).getUTCHours() / 24];
    return [...parts.map(Math.sin), ...parts.map(Math.cos)];
  });
}

/** The three sessions, of which one is open. */
class Cascade {
  #open: { readonly name: string; readonly session: torch.onnx.OnnxSession } | undefined;
  /** Runs come one after the other, so that no session is closed under one. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly files: ModelFiles,
    readonly device: string | undefined,
  ) {}

  async at(index: number): Promise<torch.onnx.OnnxSession> {
    const { name } = stages.findLast((stage) => index >= stage.from) ?? stages[0];
    if (this.#open?.name === name) return this.#open.session;
    const path = await this.files.need(`${name}.onnx`);
    // The weights of a published file are in a second one beside it.
    await this.files.find(name);
    const session = await openOnnxFile(path, { device: this.device });
    this.#open?.session.dispose();
    this.#open = { name, session };
    return session;
  }

  run(x: Tensor, time: number, index: number): Promise<Tensor> {
    const running = this.#last.then(async () => {
      const session = await this.at(Math.round(index));
      const temb = torch.tensor([timeEmbedding(time)]);
      const results = await session.run({ input: x, temb });
      temb.dispose();
      return Object.values(results)[0]!;
    });
    this.#last = running.catch(() => undefined);
    return running;
  }

  dispose(): void {
    this.#open?.session.dispose();
    this.#open = undefined;
  }
}
