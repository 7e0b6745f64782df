#!/usr/bin/env node
// The `foehn` command. Everything is in src/cli; this file only finds the compiled code, or says that there is none.

import { existsSync } from "node:fs";
import module from "node:module";

const main = new URL("../dist/cli/main.js", import.meta.url);

if (existsSync(main)) {
  module.enableCompileCache?.(); // Node 22 and newer
  const { main: run } = await import(main.href);
  const status = await run(process.argv.slice(2));
  // The result may still be on its way through a pipe. Nothing else keeps the process alive: a worker thread that an error left
  // behind must not hang a script.
  for (const stream of [process.stdout, process.stderr])
    await new Promise((resolve) => stream.write("", () => resolve()));
  process.exit(status);
} else {
  console.error("error: Foehn is not built yet\n hint: run npm run setup in its folder");
  process.exitCode = 1;
}
