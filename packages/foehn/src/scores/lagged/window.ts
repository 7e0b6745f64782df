// Which forecasts make a lagged ensemble: those of neighbouring initial times that are valid at the same time. A key is a valid time j and
// a nominal lead k, both counted in steps; member m of it started m steps after the nominal initial time j − k and so has lead k − m … seen
// the other way round, the forecast from i at lead l is member m of key (i + l, l + m). After earth2mip's `yield_lagged_ensembles`.

/** A complete ensemble. */
export interface LaggedEnsemble<T> {
  /** Place of the valid time among the times. */
  readonly valid: number;
  /** Nominal lead in steps; it may be negative, or beyond the longest lead, where only lagged members reach. */
  readonly lead: number;
  /** By lag, ascending. */
  readonly members: ReadonlyMap<number, T>;
}

/** Sizes of the problem. */
export interface LaggedWindowOptions {
  /** Initial times, which are also the valid times: equally far apart. */
  readonly times: number;
  /** Longest lead, in steps. */
  readonly leads: number;
  readonly minLag: number;
  readonly maxLag: number;
  /** The keys that are wanted; default all. */
  readonly wants?: ((valid: number, lead: number) => boolean) | undefined;
}

/** Collects forecasts, in any order, and hands out each ensemble as soon as it is complete. Holds only what is still needed. */
export class LaggedWindow<T> {
  readonly #options: LaggedWindowOptions;
  readonly #open = new Map<string, { valid: number; lead: number; members: Map<number, T> }>();

  constructor(options: LaggedWindowOptions) {
    this.#options = options;
  }

  /** Ensembles that are not complete. */
  get pending(): number {
    return this.#open.size;
  }

  /** The longest lead that is needed of a forecast: it has to verify within the times. */
  longestLead(initial: number): number {
    return Math.min(this.#options.times - 1 - initial, this.#options.leads);
  }

  /** Adds the forecast from `initial` at `lead`; gives the ensembles that it completes. */
  add(initial: number, lead: number, forecast: T): LaggedEnsemble<T>[] {
    const { minLag, maxLag, wants } = this.#options;
    if (lead > this.longestLead(initial)) return [];
    const valid = initial + lead;
    const complete: LaggedEnsemble<T>[] = [];
    for (let lag = minLag; lag <= maxLag; lag++) {
      const nominal = lead + lag;
      if (wants && !wants(valid, nominal)) continue;
      const key = `${valid} ${nominal}`;
      const ensemble = this.#open.get(key) ?? { valid, lead: nominal, members: new Map<number, T>() };
      ensemble.members.set(lag, forecast);
      if (ensemble.members.size < this.size(valid, nominal)) {
        this.#open.set(key, ensemble);
        continue;
      }
      this.#open.delete(key);
      complete.push({ ...ensemble, members: new Map([...ensemble.members].sort(([a], [b]) => a - b)) });
    }
    return complete;
  }

  /** Members of an ensemble: lags for which there is a forecast, from a time that exists and with a lead that is run. */
  size(valid: number, lead: number): number {
    const { leads, minLag, maxLag } = this.#options;
    return Math.min(lead, maxLag) - Math.max(lead - valid, lead - leads, minLag) + 1;
  }
}
