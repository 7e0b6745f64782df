#!/usr/bin/env node
// The `foehn` command. Everything is in src/cli; this file only finds the compiled code, or says that there is none.

import { existsSync } from "node:fs";
import module from "node:module";

const main = new URL("../dist/cli/main.js", import.meta.url);

if (existsSync(main)) {
  module.enableCompileCache?.(); // Node 22 and newer
  const { main: run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
} else {
  console.error("error: Foehn is not built yet\n hint: run npm run setup in its folder");
  process.exitCode = 1;
}
