// Times and durations as whole numbers in the coarsest CF unit that holds them exactly: "hours since …" for most models. Whole
// numbers, because 0.1666 hours decode to 9 minutes 59.999… seconds. CF conventions 1.10, section 4.4.

/** An axis ready to be written. */
export interface CfTimeAxis {
  readonly values: BigInt64Array;
  /** For instants: `hours since 2019-03-01 00:00:00`. */
  readonly units: string;
  readonly calendar: "standard";
  /** For durations: `hours`. */
  readonly periodUnits: string;
}

const unitSeconds = { hours: 3600, minutes: 60, seconds: 1 } as const;

/** @param origin epoch seconds that count as zero; 0 for durations */
export function cfTimeAxis(times: readonly number[], origin: number): CfTimeAxis {
  const names = ["hours", "minutes", "seconds"] as const;
  const name = names.find((unit) => times.every((time) => (time - origin) % unitSeconds[unit] === 0)) ?? "seconds";
  return {
    values: BigInt64Array.from(times, (time) => BigInt(Math.round((time - origin) / unitSeconds[name]))),
    units: `${name} since ${new Date(origin * 1000).toISOString().slice(0, 19).replace("T", " ")}`,
    calendar: "standard",
    periodUnits: name,
  };
}
