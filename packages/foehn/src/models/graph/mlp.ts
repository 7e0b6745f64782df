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
  readonly #norm: nn.LayerNorm | null;

  /** @param widths of the input, every hidden layer and the output; `layerNorm` false leaves the norm out (for an output) */
  constructor(widths: readonly number[], { layerNorm = true }: { readonly layerNorm?: boolean } = {}) {
    const linear = widths.slice(1).map((width, i) => new nn.Linear(widths[i]!, width));
    const norm = layerNorm ? new nn.LayerNorm(widths.at(-1)!) : null;
    super(...linear.flatMap((layer, i) => (i === 0 ? [layer] : [new nn.SiLU(), layer])), ...(norm ? [norm] : []));
    this.#linear = linear;
    this.#norm = norm;
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
    if (this.#norm !== null) return torch.graph.layerNorm(this.beforeNorm(hidden), this.norm, residual);
    const last = this.#linear.at(-1)!;
    const y = this.isDeep ? torch.linear(this.#beforeLast(hidden), last.weight, { bias: last.bias }) : hidden;
    return residual === undefined ? y : y.add(residual);
  }

  /** `after` without the norm and without the bias of the layer before it, which `norm` adds. */
  beforeNorm(hidden: Tensor): Tensor {
    return this.isDeep ? torch.linear(this.#beforeLast(hidden), this.#linear.at(-1)!.weight) : hidden;
  }

  #beforeLast(hidden: Tensor): Tensor {
    return this.#linear.slice(1, -1).reduce((x, layer) => torch.graph.silu(layer.forward(x)), hidden);
  }

  /** The norm at the end, for what `beforeNorm` gave. @throws TypeError when there is none */
  get norm(): torch.graph.Norm {
    if (this.#norm === null) throw new TypeError("this perceptron has no layer norm");
    const { weight, bias, eps } = this.#norm;
    return { weight: weight!, bias: bias!, eps, shift: this.isDeep ? this.#linear.at(-1)!.bias! : undefined };
  }
}

/** Widths from `inputs` through `hiddenLayers` layers of `width` to `width`. */
export function hiddenWidths(inputs: number, width: number, hiddenLayers: number): number[] {
  return [inputs, ...new Array<number>(hiddenLayers + 1).fill(width)];
}
