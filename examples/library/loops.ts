// A model of your own as a loop, and what can be put around any loop: hooks, interleaving, diagnostics.
import * as torch from "@foehn/torch";
import {
  fieldsState,
  type Grid,
  interleave,
  loopOf,
  type TimeStepper,
  windSpeed,
  withDiagnostics,
  withHooks,
} from "foehn";

/** Winds that lose a part of their speed with every step. A state is never written into: a step makes a new one. */
export function slowing(part: number, hours: number, grid: Grid) {
  const names = ["u10m", "v10m"];
  const stepper: TimeStepper = {
    inChannelNames: names,
    outChannelNames: names,
    grid,
    nHistoryLevels: 1,
    historyTimeStep: hours * 3600,
    timeStep: hours * 3600,
    initialize: async (times, x) =>
      fieldsState(
        times,
        torch.scope(() => x!.select(1, 0).clone()),
      ),
    step: async ({ times, output }) =>
      fieldsState(
        times.map((time) => time + hours * 3600),
        output.mul(1 - part),
      ),
    copy: ({ times, output }) => fieldsState(times, output.clone()),
    withFields: ({ times }, fields) => fieldsState(times, fields.clone()),
  };
  return loopOf(stepper);
}

/** Noise before each step that is the same whenever the same time is stepped: restarts stay exact. */
export const noise = {
  front: (x: torch.Tensor, times: readonly number[]) =>
    torch.scope(() => {
      const rows = times.map((time) =>
        torch.randn(x.shape.slice(1), { generator: new torch.Generator().manualSeed(time) }),
      );
      return x.add(torch.stack(rows).mul(0.01));
    }),
};

/** Steps of 24 h and 6 h as one loop of 6 h, with noise, and the wind speed as well. */
export function windModel(grid: Grid) {
  const both = interleave([slowing(0.4, 24, grid), slowing(0.1, 6, grid)]);
  return withDiagnostics(withHooks(both, noise), [windSpeed(["10m"])]);
}
