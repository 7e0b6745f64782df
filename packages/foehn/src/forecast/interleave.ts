// Interleaving: models of the same fields with steps of different length as one loop with the shortest step, after Pangu-Weather's
// schedule (24 h, 6 h, 3 h, 1 h; arXiv:2211.02556). Every valid time is reached by the longest step that ends there, which starts from
// the state that the same or a longer step produced, so that errors of short steps never enter the chain of long ones:
// with 24, 6 and 3 h from 0: 3 | 6, 9 | 12, 15 | 18, 21 | 24.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ConfigError } from "../core/errors.js";
import { formatDuration } from "../core/time.js";
import { sameGrid } from "../grid/grid.js";
import { stepperOf } from "./hooks.js";
import type { OpenLoop } from "./open-loop.js";
import type { TimeLoop } from "./time-loop.js";
import { descriptionOf, loopOf, type StepperState, share, type TimeStepper } from "./time-stepper.js";

/** A moment of an interleaved forecast. */
export interface InterleavedState extends StepperState {
  /** Seconds since the start. */
  readonly elapsed: number;
  /** For each part, longest step first: the state that its next step starts from. The last one is the present. */
  readonly anchors: readonly Anchor[];
}

/**
 * One loop of several. They are freed with it.
 * @param loops of any order; each longer step must be a multiple of the next shorter one
 * @throws ConfigError for channels, grids, histories or steps that do not go together
 */
export function interleave(loops: readonly TimeLoop[]): OpenLoop {
  const parts = loops
    .map((loop) => ({ loop, stepper: stepperOf(loop, "interleaved loops") }))
    .sort((a, b) => b.loop.timeStep - a.loop.timeStep);
  requireFitting(parts.map(({ stepper }) => stepper));
  return loopOf(new InterleavedStepper(parts.map(({ stepper }) => stepper)), {
    [Symbol.dispose]() {
      for (const { loop } of parts) (loop as Partial<Disposable>)[Symbol.dispose]?.();
    },
  });
}

class InterleavedStepper implements TimeStepper<InterleavedState> {
  readonly inChannelNames: readonly string[];
  readonly outChannelNames: readonly string[];
  readonly grid: TimeStepper["grid"];
  readonly nHistoryLevels = 1;
  readonly historyTimeStep: number;
  readonly timeStep: number;
  readonly acceptsMissing: boolean;
  readonly device: string | undefined;
  readonly precision: string;
  readonly notes: readonly string[];

  /** @param parts longest step first */
  constructor(readonly parts: readonly TimeStepper[]) {
    const shortest = descriptionOf(parts.at(-1)!);
    this.inChannelNames = shortest.inChannelNames;
    this.outChannelNames = shortest.outChannelNames;
    this.grid = shortest.grid;
    this.historyTimeStep = shortest.timeStep;
    this.timeStep = shortest.timeStep;
    this.acceptsMissing = parts.every((part) => part.acceptsMissing === true);
    this.device = shortest.device;
    this.precision = [...new Set(parts.map((part) => part.precision ?? "fp32"))].join(", ");
    const steps = parts.map((part) => formatDuration(part.timeStep)).join(", ");
    this.notes = [`steps of ${steps} interleaved`, ...new Set(parts.flatMap((part) => part.notes ?? []))];
  }

  requireData(initialTimes: readonly number[], steps: number): void {
    const starts = this.parts.map(() => [] as number[]);
    for (let n = 1; n <= steps; n++) {
      const part = this.#partThatReaches(n * this.timeStep);
      starts[part]!.push(n * this.timeStep - this.parts[part]!.timeStep);
    }
    for (const [i, part] of this.parts.entries()) {
      const times = initialTimes.flatMap((time) => starts[i]!.map((lead) => time + lead));
      if (times.length > 0) part.requireData?.(times, 1);
    }
  }

  async initialize(times: readonly number[], x: Tensor | undefined): Promise<InterleavedState> {
    const first = new Anchor(0, await this.parts[0]!.initialize(times, x));
    return this.#state(
      0,
      this.parts.map(() => first.retain()),
      first,
    );
  }

  async step(state: InterleavedState): Promise<InterleavedState> {
    const elapsed = state.elapsed + this.timeStep;
    const which = this.#partThatReaches(elapsed);
    const part = this.parts[which]!;
    const from = state.anchors[which]!;
    const start = from.maker === which ? part.copy(from.state) : await this.#initialised(part, from.state);
    let reached: Anchor;
    try {
      reached = new Anchor(which, await part.step(start));
    } finally {
      start[Symbol.dispose]();
    }
    // A time that a long step reaches is one that all shorter ones start from.
    const anchors = state.anchors.map((anchor, i) => (i >= which ? reached : anchor).retain());
    return this.#state(elapsed, anchors, reached);
  }

  copy(state: InterleavedState): InterleavedState {
    return this.#mapped(state, (anchor) => this.parts[anchor.maker]!.copy(anchor.state));
  }

  /** Changes the present; what a longer step starts from later, if it is of the past, stays. */
  withFields(state: InterleavedState, fields: Tensor): InterleavedState {
    const present = state.anchors.at(-1);
    return this.#mapped(state, (anchor) => {
      const part = this.parts[anchor.maker]!;
      return anchor === present ? part.withFields(anchor.state, fields) : part.copy(anchor.state);
    });
  }

  hooked(wrap: (part: TimeStepper) => TimeStepper): TimeStepper {
    return new InterleavedStepper(this.parts.map(wrap));
  }

  /** The longest step that ends at a time after the start. */
  #partThatReaches(elapsed: number): number {
    return this.parts.findIndex((part) => elapsed % part.timeStep === 0);
  }

  /** A state of a part from the fields that another part gave. */
  async #initialised(part: TimeStepper, { times, output }: StepperState): Promise<StepperState> {
    const names = part.inChannelNames.map((name) => this.outChannelNames.indexOf(name));
    const x = torch.inferenceMode(() =>
      torch.scope(() =>
        output.indexSelect(1, torch.tensor(names, { dtype: "int64", device: output.device })).unsqueeze(1),
      ),
    );
    try {
      return await part.initialize(times, x);
    } finally {
      x.dispose();
    }
  }

  #mapped(state: InterleavedState, change: (anchor: Anchor) => StepperState): InterleavedState {
    const changed = new Map([...new Set(state.anchors)].map((a) => [a, new Anchor(a.maker, change(a))]));
    const anchors = state.anchors.map((anchor) => changed.get(anchor)!.retain());
    return this.#state(state.elapsed, anchors, anchors.at(-1)!);
  }

  #state(elapsed: number, anchors: readonly Anchor[], present: Anchor): InterleavedState {
    const output = share(present.state.output);
    return {
      times: present.state.times,
      output,
      elapsed,
      anchors,
      [Symbol.dispose]() {
        output.dispose();
        for (const anchor of anchors) anchor.release();
      },
    };
  }
}

/** A state that several moments of a forecast hold on to. Freed when the last one lets go. */
class Anchor {
  #holders = 0;

  constructor(
    /** Index of the part whose state it is. */
    readonly maker: number,
    readonly state: StepperState,
  ) {}

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.state[Symbol.dispose]();
  }
}

function requireFitting(parts: readonly TimeStepper[]): void {
  const [first] = parts;
  if (!first) throw new ConfigError("there are no loops to interleave");
  const steps = parts.map((part) => formatDuration(part.timeStep));
  for (const [i, part] of parts.entries()) {
    const what = `the loop of ${steps[i]}`;
    if (part.nHistoryLevels !== 1) {
      throw new ConfigError(`${what} starts from ${part.nHistoryLevels} states; interleaved loops start from one`);
    }
    if (!sameGrid(part.grid, first.grid)) throw new ConfigError(`${what} is on another grid than that of ${steps[0]}`);
    for (const key of ["inChannelNames", "outChannelNames"] as const) {
      if (part[key].join() === first[key].join()) continue;
      const other = part[key].filter((name) => !first[key].includes(name));
      throw new ConfigError(`${what} has other channels than that of ${steps[0]}, or in another order`, {
        where: `${key}${other.length > 0 ? `: ${other.join(", ")}` : ""}`,
      });
    }
    const lacking = part.inChannelNames.filter((name) => !part.outChannelNames.includes(name));
    if (lacking.length > 0) throw new ConfigError(`${what} takes what it does not give: ${lacking.join(", ")}`);
    const longer = parts[i - 1];
    if (longer && (longer.timeStep === part.timeStep || longer.timeStep % part.timeStep !== 0)) {
      throw new ConfigError(`a step of ${steps[i - 1]} is not several of ${steps[i]}`, {
        hint: "each longer step must be a multiple of the next shorter one, such as 24h, 6h, 3h, 1h",
      });
    }
  }
}
