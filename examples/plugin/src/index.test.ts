import { checkNetwork } from "foehn";
import { expect, it } from "vitest";
import { ResidualConv } from "./index.js";

it("keeps what a network promises", async () => {
  const outcomes = await checkNetwork(ResidualConv, { settings: { width: 8 }, inputShape: [24, 30] });
  expect(outcomes.filter((outcome) => outcome.status !== "passed")).toEqual([]);
});
