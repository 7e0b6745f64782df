import { describe, expect, it } from "vitest";
import { createProgress, type ProgressOptions, silentProgress } from "./progress.js";

function record(mode: ProgressOptions["mode"], columns?: number) {
  let text = "";
  let now = 0;
  const stream = { write: (t: string) => (text += t), columns };
  return {
    progress: createProgress({ mode, stream, clock: () => now }),
    wait: (ms: number) => {
      now += ms;
    },
    text: () => text,
  };
}

describe("progress", () => {
  it("is one line every five seconds in a log", () => {
    const { progress, wait, text } = record("lines");
    progress.start("training", 100);
    for (let i = 1; i <= 12; i++) {
      wait(1000);
      progress.update(i, { loss: 0.123456, step: i });
    }
    progress.note("epoch 1: val 0.5");
    progress.finish("trained");
    expect(text().split("\n")).toEqual([
      "training (100)",
      "training 5/100 · loss 0.1235 · step 5 · 1m35s left",
      "training 10/100 · loss 0.1235 · step 10 · 1m30s left",
      "epoch 1: val 0.5",
      "trained",
      "",
    ]);
    expect(text()).not.toContain("\x1b");
  });

  it("is a line redrawn in place on a terminal, never wider than it", () => {
    const { progress, wait, text } = record("bar", 40);
    progress.start("forecast", 4);
    progress.update(2, { variable: "a very long name that does not fit" });
    wait(50);
    progress.update(3); // too soon: not drawn
    progress.note("kept");
    progress.finish();
    const drawn = text()
      .split("\r")
      .filter((part) => part.includes("█"));
    expect(drawn).toHaveLength(1);
    expect(drawn[0]!.replace("\x1b[K", "").length).toBeLessThan(40);
    expect(drawn[0]).toContain("██████████░░░░░░░░░░ forecast 2/4");
    expect(text().endsWith("\r\x1b[Kkept\n")).toBe(true);
  });

  it("is one event per line for programs", () => {
    const { progress, wait, text } = record("json");
    progress.start("score", 3);
    wait(1000);
    progress.update(1, { rmse: 0.5 });
    progress.finish("done");
    const events = text()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(events).toEqual([
      { event: "start", label: "score", total: 3 },
      { event: "progress", label: "score", done: 1, total: 3, seconds: 1, rmse: 0.5 },
      { event: "finish", label: "score", done: 1, seconds: 1, message: "done" },
    ]);
  });

  it("can be silent", () => {
    const { progress, text } = record("silent");
    progress.start("x", 1);
    progress.finish("y");
    expect(text()).toBe("");
    expect(progress).toBe(silentProgress);
  });
});
