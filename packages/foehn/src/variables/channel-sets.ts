// Channel sets: the ordered variable lists that older packages name instead of listing (`26var`, `73var`, Pangu's 69, …).
// The position is the meaning of an integer channel in such a package, so the order is part of the contract.
// From the public sources of earth2mip; not extended here: new packages list their variables.

import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";

const levels13 = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000];

const var26 =
  "u10m v10m t2m sp msl t850 u1000 v1000 z1000 u850 v850 z850 u500 v500 z500 t500 z50 r500 r850 tcwv u100m v100m u250 v250 z250 t250".split(
    " ",
  );

const families = (names: string, levels: readonly number[]) =>
  names.split(" ").flatMap((name) => levels.map((level) => `${name}${level}`));

const sets: Readonly<Record<string, readonly string[]>> = {
  var26,
  var34: [...var26, ..."u100 v100 z100 t100 u900 v900 z900 t900".split(" ")],
  var73: [..."u10m v10m u100m v100m t2m sp msl tcwv".split(" "), ...families("u v z t r", levels13)],
  var_pangu: [...families("z q t u v", levels13.toReversed()), "msl", "u10m", "v10m", "t2m"],
  dlwp: "t850 z1000 z700 z500 z300 tcwv t2m".split(" "),
};

const otherNames: Readonly<Record<string, string>> = { "26var": "var26", "34var": "var34", "73var": "var73" };

/** Names of the channel sets. */
export function channelSetNames(): string[] {
  return Object.keys(sets);
}

/**
 * The ordered variables of a channel set (`26var` and `var26` are the same).
 * @throws UsageError for an unknown set
 */
export function channelSet(name: string): readonly string[] {
  const set = sets[otherNames[name] ?? name];
  if (!set) {
    throw new UsageError(`unknown channel set "${name}"`, {
      hint: didYouMean(name, channelSetNames()) || `known sets: ${channelSetNames().join(", ")}`,
    });
  }
  return set;
}
