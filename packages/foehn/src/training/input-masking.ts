// Masked-autoencoder training: random blocks of the network's input are set to 0, so that it learns to fill them in from around.
// A grid of H × W points is divided into about √H × √W blocks of about √H × √W points, as in py4cast (`mask_ratio`); there most of
// the input went missing, because the ratio was of points and inverted.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";

/**
 * Makes the function that hides blocks: the same share of blocks in every sample, each sample its own, from torch's generator.
 * @param shape (H, W) of the grid
 * @param ratio share of the blocks to hide, 0 to below 1
 */
export function inputMasking([height, width]: readonly [number, number], ratio: number): (x: Tensor) => Tensor {
  const block = [height, width].map((size) => Math.max(1, Math.floor(size / Math.floor(Math.sqrt(size))))) as [
    number,
    number,
  ];
  const blocks = [Math.ceil(height / block[0]), Math.ceil(width / block[1])] as const;
  const total = blocks[0] * blocks[1];
  const hidden = Math.round(ratio * total);
  return (x) => {
    if (hidden === 0) return x;
    const batch = x.size(0);
    // The blocks with the lowest of random numbers are hidden: exactly so many in each sample.
    const rank = torch.rand([batch, total], { device: x.device }).argsort({ dim: 1 }).argsort({ dim: 1 });
    const visible = rank
      .ge(hidden)
      .to(x.dtype)
      .reshape([batch, blocks[0], 1, blocks[1], 1])
      .expand([batch, blocks[0], block[0], blocks[1], block[1]])
      .reshape([batch, blocks[0] * block[0], blocks[1] * block[1]])
      .narrow(1, 0, height)
      .narrow(2, 0, width)
      .reshape([batch, ...(x.ndim === 4 ? [height, width] : [height * width]), 1]);
    return x.mul(visible);
  };
}
