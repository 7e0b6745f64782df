// Between fields as people have them, physical and (B, F, H, W), and tensors as a network takes them: normalised, features last, laid out
// by its `transformBatch`. Every method gives tensors to the scope of its caller.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { DatasetInfo } from "../datasets/dataset.js";
import type { Network } from "../models/network.js";
import { inLayoutOf, inNetworkLayout, onGridAgain } from "../training/network-layout.js";
import type { Forcing } from "./forcing-fields.js";
import type { PastState, StepForcing } from "./past-states.js";
import { type DistinctTimes, toRows } from "./rows.js";

/** What the fields are of. */
export interface NetworkFieldsOptions {
  readonly network: Network;
  readonly info: DatasetInfo;
  readonly device: string;
  /** Whether standard deviations follow the features in what the network gives; they have mean 0. */
  readonly hasStd: boolean;
}

/** Dispose it to free its statistics. */
export class NetworkFields implements Disposable {
  readonly #options: NetworkFieldsOptions;
  /** By output channel, on the device: all features, prognostic ones first, then their standard deviations. */
  readonly #mean: Tensor;
  readonly #std: Tensor;
  /** Channels of the output. */
  readonly count: number;

  constructor(options: NetworkFieldsOptions) {
    const { info, device, hasStd } = options;
    this.#options = options;
    const mean = info.features.map(({ name }) => info.stats[name]?.mean ?? 0);
    const std = info.features.map(({ name }) => info.stats[name]?.std ?? 1);
    const keep = (values: readonly number[]) => torch.keep(torch.tensor([...values], { device }));
    this.#mean = keep(hasStd ? [...mean, ...mean.map(() => 0)] : mean);
    this.#std = keep(hasStd ? [...std, ...std] : std);
    this.count = this.#mean.size(0);
  }

  /**
   * Physical states (B, T, F, H, W) one by one, oldest first.
   * @param allowMissing missing values become 0, and a mask tells where
   */
  states(x: Tensor, { allowMissing }: { readonly allowMissing: boolean }): PastState[] {
    const { network, info, device } = this.#options;
    const inputs = this.#normalised(x.to(device).permute([0, 1, 3, 4, 2]).contiguous());
    return [...inNetworkLayout(network, info, { inputs }).inputs.iterTensorDim("timestep")].map((state) => {
      if (!allowMissing) return { state, mask: undefined };
      const mask = state.isfinite().all(-1, { keepdim: true }).to("float32");
      return { state: torch.where(state.isfinite(), state, torch.zerosLike(state)), mask };
    });
  }

  /** Fields (B, F, H, W) as all channels of the output: NaN for those that are not among them. */
  padded(fields: Tensor): Tensor {
    const [batch, given, ny, nx] = fields.shape as [number, number, number, number];
    if (given === this.count) return fields.clone();
    const { device } = this.#options;
    return torch.cat([fields, torch.full([batch, this.count - given, ny, nx], Number.NaN, { device })], { dim: 1 });
  }

  /** A change of a state in physical units, (B, F, H, W), as one of the normalised state. */
  change(fields: Tensor): Tensor {
    const { device } = this.#options;
    const change = fields.to(device).unsqueeze(1).permute([0, 1, 3, 4, 2]);
    return this.#laidOut("inputs", change.div(this.#std.narrow(0, 0, change.size(-1))));
  }

  /** The first channels of a normalised prediction, as many as there are of the output, as (B, F, H, W) in physical units. */
  physical(prediction: Tensor): Tensor {
    const { info, device } = this.#options;
    const [ny, nx] = info.grid.shape;
    const [batch, features] = [prediction.size(0), Math.min(prediction.size(-1), this.count)];
    const state = onGridAgain(prediction.narrow(-1, 0, features), [batch, ny, nx, features]);
    const output = torch.empty([batch, features, ny * nx], { device });
    // Two-dimensional transposes, because only those does libtorch do block by block: half the time of a permuted copy.
    for (let b = 0; b < batch; b++)
      output.select(0, b).copy_(
        state
          .select(0, b)
          .reshape([ny * nx, features])
          .t(),
      );
    const [std, mean] = [this.#std.narrow(0, 0, features), this.#mean.narrow(0, 0, features)];
    return output.mul_(std.unsqueeze(1)).add_(mean.unsqueeze(1)).reshape([batch, features, ny, nx]);
  }

  /** Forcings of distinct times as those of the rows. */
  forcing(forcings: readonly Forcing[], distinct: DistinctTimes): StepForcing {
    const { info, device } = this.#options;
    const [ny, nx] = info.grid.shape;
    const onGrid = (fields: readonly Float32Array[], width: number) => {
      const tensors = fields.map((field) => torch.fromTypedArray(field, [1, 1, ny, nx, width]));
      const all = tensors.length === 1 ? tensors[0]! : torch.cat(tensors);
      return toRows(all.to(device), distinct).contiguous();
    };
    const forcing = onGrid(
      forcings.map(({ values }) => values),
      info.forcingNames.length,
    );
    const values = this.#laidOut("forcing", forcing);
    if (forcings.every(({ mask }) => mask === undefined)) return { values, mask: undefined };
    const masks = forcings.map(({ mask }) => mask ?? new Float32Array(ny * nx).fill(1));
    return { values, mask: inLayoutOf(onGrid(masks, 1).select(1, 0), values) };
  }

  /** Prognostic fields of distinct times, in physical units, as normalised states of the rows. */
  knownStates(fields: readonly (readonly Float32Array[])[], distinct: DistinctTimes): Tensor {
    const { info, device } = this.#options;
    const [ny, nx] = info.grid.shape;
    const ofTime = (features: readonly Float32Array[]) =>
      torch.stack(
        features.map((field) => torch.fromTypedArray(field, [ny, nx])),
        { dim: -1 },
      );
    const states = this.#normalised(torch.stack(fields.map(ofTime)).to(device)).unsqueeze(1);
    return toRows(this.#laidOut("outputs", states), distinct);
  }

  [Symbol.dispose](): void {
    this.#mean.dispose();
    this.#std.dispose();
  }

  /** Features last, the first of the output's. */
  #normalised(x: Tensor): Tensor {
    const features = x.size(-1);
    return x.sub(this.#mean.narrow(0, 0, features)).div(this.#std.narrow(0, 0, features));
  }

  /** A part of one time step, (B, 1, H, W, F), in the network's layout without the step. */
  #laidOut(part: "inputs" | "outputs" | "forcing", tensor: Tensor): Tensor {
    const { network, info } = this.#options;
    return inNetworkLayout(network, info, { [part]: tensor })[part].selectTensorDim("timestep", 0);
  }
}
