// Wind speed: ws = √(u² + v²), at pressure levels or heights.

import * as torch from "@foehn/torch";
import { everyOther, input, type Level, levelText, output } from "./derived.js";
import type { Diagnostic } from "./diagnostic.js";

/** `ws850` from `u850` and `v850`, `ws10m` from `u10m` and `v10m`. */
export function windSpeed(levels: readonly Level[]): Diagnostic {
  return {
    description: `wind speed at ${levels.map(levelText).join(", ")}`,
    inChannels: levels.flatMap((level) => [input(`u${level}`), input(`v${level}`)]),
    outChannels: levels.map((level) => output(`ws${level}`, "m s-1", `Wind speed at ${levelText(level)}`)),
    apply: (x) =>
      torch.scope(() =>
        everyOther(x, 0, 2)
          .square()
          .add(everyOther(x, 1, 2).square())
          .sqrt(),
      ),
  };
}
