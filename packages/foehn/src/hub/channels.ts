// Channels of a metadata.json, in all the forms that packages of earth2mip have: names (`in_channels_names`, and `in_channel_names` as its
// changelog spells it), or positions in a channel set (`in_channels: [0, 1, 2]` with `channel_set`, "34var" where none is said).
// Positions alone are ambiguous to a reader, so what they mean is always told.

import { channelSet, channelSetNames } from "../variables/channel-sets.js";

/** The keys of metadata.json that name channels. */
export interface ChannelKeys {
  readonly in_channels_names?: readonly string[] | undefined;
  readonly out_channels_names?: readonly string[] | undefined;
  readonly in_channel_names?: readonly string[] | undefined;
  readonly out_channel_names?: readonly string[] | undefined;
  readonly in_channels?: readonly number[] | undefined;
  readonly out_channels?: readonly number[] | undefined;
  readonly channel_set?: string | undefined;
}

/** Set of positions without a `channel_set`, as earth2mip had it before it went over to names. */
export const defaultChannelSet = "34var";

/** What the keys come to. */
export interface ResolvedChannels {
  readonly inputs: readonly string[] | undefined;
  readonly outputs: readonly string[] | undefined;
  /** Key and sentence. */
  readonly problems: readonly (readonly [key: keyof ChannelKeys, text: string])[];
}

/** Names of the channels: names win over positions. */
export function resolveChannels(keys: ChannelKeys): ResolvedChannels {
  const problems: [keyof ChannelKeys, string][] = [];
  const one = (
    names: "in_channels_names" | "out_channels_names",
    other: "in_channel_names" | "out_channel_names",
    positions: "in_channels" | "out_channels",
  ): readonly string[] | undefined => {
    const [a, b] = [keys[names], keys[other]];
    if (a !== undefined && b !== undefined && a.join() !== b.join()) {
      problems.push([other, `says other channels than ${names}; leave one of them out`]);
    }
    const wanted = a ?? b;
    if (wanted !== undefined) return wanted;
    const list = keys[positions];
    const set = setOf(keys);
    if (list === undefined || set === undefined) return undefined;
    const outside = list.find((position) => position >= set.length);
    if (outside !== undefined) {
      problems.push([
        positions,
        `${setName(keys)} has the channels 0 to ${set.length - 1}, got ${outside}; channel_set says which set is meant (${channelSetNames().join(", ")})`,
      ]);
    }
    return list.map((position) => set[position] ?? `${setName(keys)}[${position}]`);
  };
  const inputs = one("in_channels_names", "in_channel_names", "in_channels");
  const outputs = one("out_channels_names", "out_channel_names", "out_channels");
  return { inputs, outputs, problems };
}

/** Lines for people: what positions were taken to mean, and which keys did not count. */
export function channelNotes(keys: ChannelKeys): string[] {
  const notes: string[] = [];
  for (const [side, label] of [
    ["in", "inputs"],
    ["out", "outputs"],
  ] as const) {
    const positions = keys[`${side}_channels`];
    const [names, other] = [keys[`${side}_channels_names`], keys[`${side}_channel_names`]];
    if (names === undefined && other !== undefined) {
      notes.push(
        `metadata.json names its ${label} under ${side}_channel_names; ${side}_channels_names is the usual key`,
      );
    }
    if (positions === undefined) continue;
    if (names !== undefined || other !== undefined) {
      notes.push(`${side}_channels (positions) is not looked at, because the ${label} are named`);
      continue;
    }
    const set = setOf(keys) ?? [];
    const assumed = keys.channel_set === undefined ? `, which is meant where channel_set is not said` : "";
    notes.push(
      `${side}_channels [${shorten(positions.map(String))}] are ${shorten(positions.map((p) => set[p] ?? "?"))} of ${setName(keys)}${assumed}`,
    );
  }
  return notes;
}

/** The whole set that positions refer to, where channels are given by positions: arrays of statistics may cover it all. */
export function setOf(keys: ChannelKeys): readonly string[] | undefined {
  try {
    return channelSet(keys.channel_set ?? defaultChannelSet);
  } catch {
    return undefined; // said where channel_set is checked
  }
}

const setName = (keys: ChannelKeys): string => keys.channel_set ?? defaultChannelSet;

const shorten = (words: readonly string[]): string =>
  words.length <= 12 ? words.join(", ") : `${words.slice(0, 8).join(", ")}, … ${words.at(-1)} (${words.length})`;
