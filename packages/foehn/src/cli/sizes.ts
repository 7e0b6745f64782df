// Bytes as people write them: `1.4 GiB` out, `20GB` in.

import { Option } from "commander";
import { UsageError } from "../core/errors.js";

const binary = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1.4 GiB`; three digits at most before the point. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  for (; value >= 1024 && unit < binary.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${binary[unit]}`;
}

const powers: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4 };

/** An option that takes `500MB`, `20GB`, `20GiB` or a number of bytes. */
export function bytesOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string): number => {
    const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i.exec(text.trim());
    if (!match) {
      throw new UsageError(`${new Option(flags).long}: expected a size such as 20GB, got "${text}"`);
    }
    return Math.round(Number(match[1]) * (match[3] === "" ? 1000 : 1024) ** powers[match[2]!.toLowerCase()]!);
  });
}
