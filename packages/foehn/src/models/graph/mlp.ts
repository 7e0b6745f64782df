// The multi-layer perceptron that graph networks are made of: linear layers with SiLU between them, a layer norm at the end.
// Keys are those of mfai's and py4cast's `make_mlp` ("0.weight", "2.weight", "3.weight"). Activation and norm are torch.graph's, which
// add what stands beside them on the way.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { nn } from "@foehn/torch";

/** Layers between widths. */
export class Mlp extends nn.Sequential {
  /** The linear layers; SiLU stands between them. */
  readonly #linear: readonly nn.Linear[];
  readonly #norm: torch.graph.Norm | null;

  /** @param widths of the input, every hidden layer and the output; `layerNorm` false leaves the norm out (for an output) */
  constructor(widths: readonly number[], { layerNorm = true }: { readonly layerNorm?: boolean } = {}) {
    const linear = widths.slice(1).map((width, i) => new nn.Linear(widths[i]!, width));
    const norm = layerNorm ? new nn.LayerNorm(widths.at(-1)!) : null;
    super(...linear.flatMap((layer, i) => (i === 0 ? [layer] : [new nn.SiLU(), layer])), ...(norm ? [norm] : []));
    this.#linear = linear;
    this.#norm = norm && { weight: norm.weight!, bias: norm.bias!, eps: norm.eps };
  }

  /** The first layer: callers that have its input in parts apply it themselves and go on with `after`. */
  get first(): nn.Linear {
    return this.#linear[0]!;
  }

  /** Whether SiLU follows the first layer. */
  get isDeep(): boolean {
    return this.#linear.length > 1;
  }

  /** @param residual added to the result */
  override forward(x: Tensor, residual?: Tensor): Tensor {
    const first = this.first.forward(x);
    return this.after(this.isDeep ? torch.graph.silu(first) : first, residual);
  }

  /** The rest of the perceptron, from what the first layer and its SiLU (if there is one) gave. */
  after(hidden: Tensor, residual?: Tensor): Tensor {
    const x = this.beforeNorm(hidden);
    if (this.#norm !== null) return torch.graph.layerNorm(x, this.#norm, residual);
    return residual === undefined ? x : x.add(residual);
  }

  /** `after` without the norm. */
  beforeNorm(hidden: Tensor): Tensor {
    let x = hidden;
    for (const [i, layer] of this.#linear.entries()) {
      if (i === 0) continue;
      x = layer.forward(i > 1 ? torch.graph.silu(x) : x);
    }
    return x;
  }

  /** The norm at the end. @throws TypeError when there is none */
  get norm(): torch.graph.Norm {
    if (this.#norm === null) throw new TypeError("this perceptron has no layer norm");
    return this.#norm;
  }
}

/** Widths from `inputs` through `hiddenLayers` layers of `width` to `width`. */
export function hiddenWidths(inputs: number, width: number, hiddenLayers: number): number[] {
  return [inputs, ...new Array<number>(hiddenLayers + 1).fill(width)];
}
