// The block of U-Nets: 3×3 convolution, batch normalisation and ReLU, twice. Children are called `<name>conv1`, `<name>norm1`, … as in mfai.

import { nn } from "@foehn/torch";

/** (B, from, H, W) → (B, to, H, W). */
export function convBlock(name: string, from: number, to: number): nn.Sequential {
  const conv = (features: number) => new nn.Conv2d(features, to, 3, { padding: 1, bias: false });
  return new nn.Sequential({
    [`${name}conv1`]: conv(from),
    [`${name}norm1`]: new nn.BatchNorm2d(to),
    [`${name}relu1`]: new nn.ReLU({ inplace: true }),
    [`${name}conv2`]: conv(to),
    [`${name}norm2`]: new nn.BatchNorm2d(to),
    [`${name}relu2`]: new nn.ReLU({ inplace: true }),
  });
}
