import { describe, expect, it } from "vitest";
import { type LaggedEnsemble, LaggedWindow } from "./window.js";

type Forecast = readonly [initial: number, lead: number];

function all(times: number, minLag: number, maxLag: number, order = (a: Forecast[]) => a): LaggedEnsemble<Forecast>[] {
  const window = new LaggedWindow<Forecast>({ times, leads: 10, minLag, maxLag });
  const forecasts: Forecast[] = [];
  for (let i = 0; i < times; i++) for (let l = 0; l <= Math.min(times - i - 1, 10); l++) forecasts.push([i, l]);
  const ensembles = order(forecasts).flatMap(([i, l]) => window.add(i, l, [i, l]));
  expect(window.pending).toBe(0);
  return ensembles;
}

describe("lagged ensembles", () => {
  it.each([
    [16, -2, 2, 185],
    [20, -2, 2, 245],
    [16, -2, 0, 153],
    [20, -2, 0, 205],
  ])("of %d times with lags %d to %d are %d", (times, minLag, maxLag, count) => {
    const ensembles = all(times, minLag, maxLag);
    expect(ensembles.length).toBe(count);
    expect(new Set(ensembles.map(({ valid, lead }) => `${valid} ${lead}`)).size).toBe(count);
    for (const { valid, lead, members } of ensembles) {
      for (const [lag, [initial, of]] of members) expect([initial, of]).toEqual([valid - lead + lag, lead - lag]);
    }
  });

  it("have the sizes of the reference, negative leads and leads beyond the last included", () => {
    const ensembles = all(16, -2, 2);
    const sizes: Record<number, number> = {};
    for (const { members } of ensembles) sizes[members.size] = (sizes[members.size] ?? 0) + 1;
    expect(sizes).toEqual({ 1: 35, 2: 32, 3: 29, 4: 26, 5: 63 });
    expect(ensembles.filter(({ lead }) => lead < 0).length).toBe(32);
    expect(ensembles.filter(({ lead }) => lead > 10).length).toBe(13);
  });

  it("are the same in any order of the forecasts, and lags ascend", () => {
    const text = (ensembles: LaggedEnsemble<Forecast>[]) =>
      ensembles.map((e) => JSON.stringify({ ...e, members: [...e.members] })).sort();
    const backwards = all(9, -2, 2, (forecasts) => [...forecasts].reverse());
    expect(text(backwards)).toEqual(text(all(9, -2, 2)));
  });

  it("hold no more than the window needs, and only what is wanted", () => {
    const window = new LaggedWindow<number>({
      times: 100,
      leads: 10,
      minLag: -2,
      maxLag: 2,
      wants: (j, k) => j - k === 50,
    });
    let complete = 0;
    for (let i = 0; i < 100; i++) {
      for (let l = 0; l <= window.longestLead(i); l++) complete += window.add(i, l, 0).length;
      expect(window.pending).toBeLessThanOrEqual(13);
    }
    // Leads −2 to 12 of one initial time: those with a negative lead need later ones only.
    expect(complete).toBe(15);
  });
});
