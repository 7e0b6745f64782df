// White noise: a standard normal number at every point, without relation to its neighbours. Models smooth it away within steps.

import * as torch from "@foehn/torch";
import type { NoiseField } from "./noise.js";

/** N(0, 1) at every point. */
export function gaussianField(): NoiseField {
  return {
    description: "gaussian",
    on:
      ({ shape: [ny, nx] }) =>
      (streams) =>
        torch.stack(streams.map((random) => torch.fromTypedArray(random.normals(ny * nx), [ny, nx]))),
  };
}
