// Bilinear interpolation as two matrix products, for bfloat16 in channels-last memory on processors that multiply it in hardware.
// libtorch's own kernel goes through such tensors value by value, its backward four times slower than in float32; the products
// cost more arithmetic and a fraction of the time, also backward.

import { tensor } from "../creation.js";
import { aten } from "../operators.js";
import { keep, scope } from "../scope.js";
import { cpuCapabilities } from "../system.js";
import type { Tensor } from "../tensor.js";

let inHardware: boolean | undefined;

/** Whether products are the better way for this input (N, C, H, W). */
export function prefersProducts(x: Tensor): boolean {
  if (x.dtype !== "bfloat16" || x.device !== "cpu" || x.ndim !== 4 || x.size(1) === 1) return false;
  inHardware ??= cpuCapabilities().amxBf16;
  return inHardware && x.stride()[1] === 1;
}

/** How output positions of an axis lie on the input. */
export interface BilinearOptions {
  readonly alignCorners: boolean;
  /** Input cells per output cell where they are given by a factor and not by the sizes; for edges that are aligned. */
  readonly steps?: readonly [number, number] | undefined;
}

/** (N, C, h, w) → (N, C, H, W), channels-last. */
export function bilinearProducts(x: Tensor, size: readonly [number, number], options: BilinearOptions): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [height, width] = size;
  const { alignCorners, steps } = options;
  // Columns first, while there are few rows; then all columns and channels of a row at once.
  const columns = aten(
    "bmm",
    weights(w, width, alignCorners, steps?.[1]).expand([n * h, width, w]),
    x.permute([0, 2, 3, 1]).reshape([n * h, w, c]),
  ) as Tensor;
  const rows = aten(
    "bmm",
    weights(h, height, alignCorners, steps?.[0]).expand([n, height, h]),
    columns.reshape([n, h, width * c]),
  ) as Tensor;
  return rows.reshape([n, height, width, c]).permute([0, 3, 1, 2]);
}

const known = new Map<string, Tensor>();

/** (1, to, from): the share of each input cell in each output cell of an axis. Made once for each pair of sizes. */
function weights(from: number, to: number, alignCorners: boolean, step = from / to): Tensor {
  const key = `${from} ${to} ${alignCorners ? "corners" : step}`;
  const made = known.get(key);
  if (made !== undefined) return made;
  const values = new Float32Array(from * to);
  for (let i = 0; i < to; i++) {
    const at = alignCorners ? (to === 1 ? 0 : (i * (from - 1)) / (to - 1)) : Math.max(0, (i + 0.5) * step - 0.5);
    const low = Math.min(Math.floor(at), from - 1);
    // In 256ths, which bfloat16 holds to the bit, as it does 1 − share: a constant field stays that constant.
    const share = Math.round((at - low) * 256) / 256;
    values[i * from + low]! += 1 - share;
    values[i * from + Math.min(low + 1, from - 1)]! += share;
  }
  const matrix = scope(() => keep(tensor(values, { shape: [1, to, from] }).to("bfloat16")));
  known.set(key, matrix);
  return matrix;
}
