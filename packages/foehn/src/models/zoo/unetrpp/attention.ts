// Efficient paired attention: one attention among channels and one among places, with common queries and keys; the second's keys and
// values are projected from all places of the grid to a few. Paper: Shaker et al. 2024, "UNETR++" (arXiv 2212.04497), section 3.2.
//
// Heads are narrow here (8 to 64 channels), so several share one product of matrices, in which what belongs to different heads is
// masked out; and the division of queries and keys by their norms is applied to the small matrices that come out of such products.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { PointwiseLinear } from "../pointwise.js";

/** Heads share a product while they are together at most this wide. */
const GROUP_WIDTH = 64;

/** Least norm of queries and keys. */
const EPSILON = 1e-12;

/** What an attention layer is made of. */
export interface PairedAttentionOptions {
  /** Places of the grid; fixed, since the projection has a weight for each. */
  readonly places: number;
  readonly width: number;
  readonly heads: number;
  /** Places after the projection. */
  readonly projected: number;
  readonly dropout: number;
  /** Scale of the channel attention: learned for each head, or 1/√places. */
  readonly learnedTemperature: boolean;
  /** Mix up the places of the spatial attention's output, as the reference does. */
  readonly scrambled: boolean;
}

/** (B, N, C) → the same; N places with C channels. */
export class PairedAttention extends nn.Module {
  readonly qkvv: PointwiseLinear;
  readonly EF: nn.Parameter;
  readonly temperature2: nn.Parameter;
  readonly temperature: nn.Parameter | null;
  readonly attn_drop: nn.Dropout;
  readonly attn_drop_2: nn.Dropout;
  /** (heads of a group, 1, width of a group): 1 where the channel is the head's. */
  declare readonly headMask: Tensor;
  /** (width, width) of a group: 0 between channels of one head, −∞ between others. */
  declare readonly channelMask: Tensor;
  readonly #options: PairedAttentionOptions;
  readonly #groups: number;

  constructor(options: PairedAttentionOptions) {
    super();
    const { places, width, heads, projected, dropout, learnedTemperature } = options;
    this.#options = options;
    this.qkvv = new PointwiseLinear(width, 4 * width, { bias: false });
    this.EF = new nn.Parameter(nn.init.uniform_(torch.empty([places, projected]), -1, 1).div(Math.sqrt(projected)));
    this.temperature2 = new nn.Parameter(torch.ones([heads, 1, 1]));
    this.temperature = learnedTemperature ? new nn.Parameter(torch.ones([heads, 1, 1])) : null;
    this.attn_drop = new nn.Dropout(dropout);
    this.attn_drop_2 = new nn.Dropout(dropout);
    const size = width / heads;
    const together = largestDivisor(heads, GROUP_WIDTH / size);
    this.#groups = heads / together;
    const mask = torch.eye(together).repeatInterleave(size, { dim: 1 });
    this.registerBuffer("headMask", mask.unsqueeze(1), { persistent: false });
    this.registerBuffer("channelMask", mask.t().matmul(mask).log(), { persistent: false });
  }

  override forward(x: Tensor): Tensor {
    const [batch, places, width] = x.shape as [number, number, number];
    const groups = this.#groups;
    const groupWidth = width / groups;
    const parts = this.qkvv
      .forward(x)
      .reshape([batch, places, 4, groups, groupWidth])
      .permute([2, 0, 3, 1, 4])
      .reshape([4, batch * groups, places, groupWidth]);
    const [q, k, channelValues, spatialValues] = parts.unbind() as [Tensor, Tensor, Tensor, Tensor];
    const norms = torch.aten("linalg_vector_norm", parts.narrow(0, 0, 2), 2, [2], true, {
      dtype: this.EF.dtype,
    }) as Tensor;
    const [qScale, kScale] = norms.clampMin(EPSILON).reciprocal().unbind() as [Tensor, Tensor];

    const byChannel = this.#channelAttention(q, k, channelValues, qScale, kScale);
    const byPlace = this.#spatialAttention(q, k, spatialValues, qScale);
    if (!this.#options.scrambled) return this.#ungrouped(byChannel.add(byPlace), batch);
    return this.#ungrouped(byChannel, batch).add(this.#scrambled(byPlace, batch));
  }

  /** Each channel becomes a mean of its head's channels: softmax(q̂ᵀ·k̂·τ)·v. */
  #channelAttention(q: Tensor, k: Tensor, values: Tensor, qScale: Tensor, kScale: Tensor): Tensor {
    const cosines = q.transpose(1, 2).bmm(k).mul(qScale.transpose(1, 2)).mul(kScale);
    const scores =
      this.temperature === null
        ? cosines.mul(1 / Math.sqrt(this.#options.places))
        : cosines.mul(this.#perChannel(this.temperature, q.size(0)).transpose(1, 2));
    const weights = this.attn_drop.forward(torch.softmax(scores.add(this.channelMask), -1));
    return values.bmm(weights.to(values.dtype).transpose(1, 2));
  }

  /** Each place becomes a mean of the projected places: softmax(q̂·(EFᵀ·k)ᵀ·τ₂)·(EFᵀ·v), head by head. */
  #spatialAttention(q: Tensor, k: Tensor, values: Tensor, qScale: Tensor): Tensor {
    const [batch, places, width] = q.shape as [number, number, number];
    const projection = this.EF.t().to(q.dtype).expand([batch, -1, -1]);
    const scale = qScale.mul(this.#perChannel(this.temperature2, batch));
    const keys = this.#byHead(projection.bmm(k).mul(scale)).to(q.dtype);
    const means = this.#byHead(projection.bmm(values)).to(q.dtype);
    const heads = this.headMask.size(0);
    const scores = q.bmm(keys.transpose(1, 2)).reshape([batch, places, heads, -1]);
    const weights = this.attn_drop_2.forward(torch.softmax(scores, -1));
    return weights.reshape([batch, places, -1]).bmm(means).reshape([batch, places, width]);
  }

  /** (B, p, W) → (B, heads·p, W): for each head, its channels, and 0 in the others. */
  #byHead(x: Tensor): Tensor {
    return x
      .unsqueeze(1)
      .mul(this.headMask)
      .reshape([x.size(0), -1, x.size(2)]);
  }

  /** A value per head, (heads, 1, 1), for each channel of each group: (B·groups, 1, W). */
  #perChannel(value: Tensor, batch: number): Tensor {
    const { heads, width } = this.#options;
    const groups = this.#groups;
    const channels = value.reshape([heads, 1]).expand([heads, width / heads]);
    return channels
      .reshape([1, groups, width / groups])
      .expand([batch / groups, -1, -1])
      .reshape([batch, 1, -1]);
  }

  /** (B·groups, N, W) → (B, N, C). */
  #ungrouped(x: Tensor, batch: number): Tensor {
    const { places, width } = this.#options;
    if (this.#groups === 1) return x;
    const apart = x.reshape([batch, this.#groups, places, width / this.#groups]);
    return apart.permute([0, 2, 1, 3]).reshape([batch, places, width]);
  }

  /** As the reference reads its (B, heads, N, channels): as if it were (B, heads, channels, N). */
  #scrambled(x: Tensor, batch: number): Tensor {
    const { places, width, heads } = this.#options;
    const size = width / heads;
    return x
      .reshape([batch, this.#groups, places, heads / this.#groups, size])
      .permute([0, 4, 1, 3, 2])
      .reshape([batch, places, width]);
  }

  override extraRepr(): string {
    const { places, width, heads, projected } = this.#options;
    return `${places} places, ${width} channels, ${heads} heads, projected to ${projected}`;
  }
}

/** The largest divisor of n that is at most `limit`, at least 1. */
function largestDivisor(n: number, limit: number): number {
  let divisor = Math.max(1, Math.min(n, Math.floor(limit)));
  while (n % divisor !== 0) divisor--;
  return divisor;
}
