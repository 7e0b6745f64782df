// The multi-layer perceptron that graph networks are made of: linear layers with SiLU between them, a layer norm at the end.
// Keys are those of mfai's and py4cast's `make_mlp` ("0.weight", "2.weight", "3.weight").

import { nn } from "@foehn/torch";

/** Layers from `widths[0]` to the last width. `layerNorm` false leaves the norm out (for an output). */
export function mlp(
  widths: readonly number[],
  { layerNorm = true }: { readonly layerNorm?: boolean } = {},
): nn.Sequential {
  const layers: nn.UnaryModule[] = [];
  for (let i = 1; i < widths.length; i++) {
    if (i > 1) layers.push(new nn.SiLU());
    layers.push(new nn.Linear(widths[i - 1]!, widths[i]!));
  }
  if (layerNorm) layers.push(new nn.LayerNorm(widths.at(-1)!));
  return new nn.Sequential(...layers);
}

/** Widths from `inputs` through `hiddenLayers` layers of `width` to `width`. */
export function hiddenWidths(inputs: number, width: number, hiddenLayers: number): number[] {
  return [inputs, ...new Array<number>(hiddenLayers + 1).fill(width)];
}
