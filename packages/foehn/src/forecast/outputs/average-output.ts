// Means over windows of lead time: a week's mean after each week. A window holds the steps after its begin up to and including its end,
// so that the initial condition, which is no forecast, belongs to none. Steps after the last whole window are left out.

import { UsageError } from "../../core/errors.js";
import { formatDuration } from "../../core/time.js";
import type { FileHeader } from "./cf-layout.js";
import type { ForecastHeader, ForecastOutput, ForecastStep } from "./output.js";
import { PassingOutput } from "./pass-on.js";

interface Sums {
  readonly fields: readonly Float64Array[];
  count: number;
}

/** Passes means on. Memory: one sum for each forecast under way and variable. */
export class AverageOutput extends PassingOutput {
  #perWindow = 1;
  #windows = 0;
  #header: ForecastHeader | undefined;
  readonly #sums = new Map<string, Sums>();

  /** @param window seconds */
  constructor(
    inner: ForecastOutput,
    readonly window: number,
  ) {
    super(inner);
  }

  /** @throws UsageError when the window is no multiple of the step, or longer than the forecast */
  async open(header: ForecastHeader): Promise<void> {
    const { leadTimes } = header;
    const [step, last] = [leadTimes[1] ?? 0, leadTimes.at(-1)!];
    if (!(step > 0) || this.window < step || this.window % step !== 0) {
      throw new UsageError(
        `means over ${formatDuration(this.window)} are not made of whole steps of ${formatDuration(step)}`,
      );
    }
    this.#perWindow = this.window / step;
    this.#windows = Math.floor(last / this.window);
    if (this.#windows === 0) {
      throw new UsageError(
        `the forecast ends at +${formatDuration(last)}, before the first mean over ${formatDuration(this.window)}`,
        { hint: "ask for more steps, or a shorter window" },
      );
    }
    this.#header = header;
    const ends = Array.from({ length: this.#windows }, (_, i) => (i + 1) * this.window);
    const passed: FileHeader = {
      ...header,
      leadTimes: ends,
      leadBounds: ends.map((end) => [end - this.window, end] as const),
    };
    await this.inner.open(passed as ForecastHeader);
  }

  async write(step: ForecastStep): Promise<void> {
    const window = Math.ceil(step.leadIndex / this.#perWindow) - 1;
    if (step.leadIndex === 0 || window >= this.#windows) return;
    const key = `${step.initialIndex} ${step.memberIndex}`;
    const sums = this.#sums.get(key) ?? {
      fields: step.fields.map((field) => new Float64Array(field.length)),
      count: 0,
    };
    this.#sums.set(key, sums);
    for (const [v, field] of step.fields.entries()) {
      const sum = sums.fields[v]!;
      for (let i = 0; i < sum.length; i++) sum[i]! += field[i]!;
    }
    sums.count++;
    if (step.leadIndex % this.#perWindow !== 0) return;
    const { count } = sums;
    const fields = sums.fields.map((sum) => Float32Array.from(sum, (value) => value / count));
    for (const sum of sums.fields) sum.fill(0);
    sums.count = 0;
    if (window === this.#windows - 1) this.#sums.delete(key);
    const end = (window + 1) * this.window;
    const validTime = this.#header!.initialTimes[step.initialIndex]! + end;
    await this.inner.write({ ...step, leadIndex: window, validTime, fields });
  }

  override async abort(): Promise<void> {
    this.#sums.clear();
    await super.abort();
  }
}
