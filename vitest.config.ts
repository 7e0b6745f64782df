import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests run against the sources, so a failing test points at a line of TypeScript; the command-line tests run the built `dist`.
export default defineConfig({
  resolve: {
    alias: {
      "@foehn/torch": fileURLToPath(new URL("./packages/torch/src/index.ts", import.meta.url)),
      foehn: fileURLToPath(new URL("./packages/foehn/src/index.ts", import.meta.url)),
    },
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "examples/**/*.test.ts"],
    globalSetup: ["test/cache-folder.ts"],
    testTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
