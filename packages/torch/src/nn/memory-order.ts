// Which order the memory of images is in, for layers that have a faster way in one of them.
import type { Tensor } from "../tensor.js";

/** Whether (N, C, H, W) is on the CPU in channels-last order, and not in both orders at once. */
export function isChannelsLast(x: Tensor): boolean {
  return x.device === "cpu" && x.isContiguous("channels_last") && !x.isContiguous();
}
