// Tests keep what they cache in a folder of their own that goes when they end: nothing made by earlier code decides a result.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "foehn-test-cache-"));
  process.env.FOEHN_CACHE = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
