import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { InterruptedError } from "./errors.js";
import { throwIfInterrupted, withInterrupt } from "./interrupt.js";
import { createLogger } from "./log.js";

describe("interruption", () => {
  it("aborts the signal on SIGINT, and takes its handlers away afterwards", async () => {
    const before = process.listenerCount("SIGINT");
    const running = withInterrupt(async (signal) => {
      process.emit("SIGINT");
      expect(signal.aborted).toBe(true);
      throwIfInterrupted(signal);
    });
    await expect(running).rejects.toBeInstanceOf(InterruptedError);
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  it("turns Node's AbortError into an interruption, and lets other errors and results pass", async () => {
    const abort = withInterrupt(async (signal) => {
      process.emit("SIGTERM");
      await new Promise((_, reject) => reject(Object.assign(new Error("aborted"), { name: "AbortError" })));
      return signal;
    });
    await expect(abort).rejects.toMatchObject({ code: "interrupted", exitCode: 130 });
    await expect(withInterrupt(async () => 3)).resolves.toBe(3);
    await expect(withInterrupt(() => Promise.reject(new TypeError("x")))).rejects.toBeInstanceOf(TypeError);
  });

  it("ends the process at the second Ctrl-C", async () => {
    const built = new URL("../../dist/core/interrupt.js", import.meta.url).href;
    const script = `
      const { withInterrupt } = await import(${JSON.stringify(built)});
      await withInterrupt(async (signal) => {
        signal.addEventListener("abort", () => process.stdout.write("first"));
        process.stdout.write("ready");
        await new Promise(() => setInterval(() => {}, 1000));
      });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(child.stdout, "data");
    child.kill("SIGINT");
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect((await once(child, "exit"))[0]).toBe(130);
  });
});

describe("the logger", () => {
  it("writes text or JSON from its level upwards", () => {
    const lines: string[] = [];
    const text = createLogger({ write: (line) => lines.push(line) });
    text.debug("hidden");
    text.info("read", { file: "a.nc" });
    text.warn("slow");
    createLogger({ json: true, level: "error", write: (line) => lines.push(line) }).error("bad", { step: 3 });
    expect(lines).toEqual(["read file=a.nc\n", "warning: slow\n", '{"level":"error","message":"bad","step":3}\n']);
  });
});
