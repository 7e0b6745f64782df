// Outputs that change what they get and pass it on to another: a part of the variables, a box, means over time.

import type { ForecastHeader, ForecastOutput, ForecastStep, OutputUnits } from "./output.js";

/** Passes everything on; what differs is in `open` and `write`. */
export abstract class PassingOutput implements ForecastOutput {
  constructor(readonly inner: ForecastOutput) {}

  abstract open(header: ForecastHeader): Promise<void>;
  abstract write(step: ForecastStep): Promise<void>;

  close(): Promise<string | undefined> {
    return this.inner.close();
  }

  abort(): Promise<void> {
    return this.inner.abort();
  }

  get units(): OutputUnits | undefined {
    return this.inner.units;
  }
}
