// File globs: `*`, `?`, `[a-c]` inside a path segment and `**` for any depth. Small because Node 20 has no glob of its own.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join, parse, sep } from "node:path";

/** True when a path has glob characters. */
export function isGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

/** The files and folders that match an absolute pattern, sorted. Names that begin with a dot match only a pattern that does. */
export function expandGlob(pattern: string): string[] {
  const { root } = parse(pattern);
  const segments = pattern.slice(root.length).split(sep).filter(Boolean);
  return [...new Set(walk(root, segments))].sort();
}

function walk(folder: string, segments: readonly string[]): string[] {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [folder];
  if (segment === "**" && rest.length === 0) rest.push("*"); // everything below, at any depth
  if (!isGlob(segment)) {
    const next = join(folder, segment);
    return existsSync(next) ? walk(next, rest) : [];
  }
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  const entries = readdirSync(folder, { withFileTypes: true }).filter(
    (e) => !e.name.startsWith(".") || segment.startsWith("."),
  );
  if (segment === "**") {
    const below = entries.filter((e) => e.isDirectory()).flatMap((e) => walk(join(folder, e.name), segments));
    return [...walk(folder, rest), ...below];
  }
  const expression = segmentPattern(segment);
  return entries.filter((e) => expression.test(e.name)).flatMap((e) => walk(join(folder, e.name), rest));
}

function segmentPattern(segment: string): RegExp {
  const source = segment.replace(/\[!?[^\]]+\]|[\s\S]/g, (part) => {
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    if (part.length > 1) return part.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    return part.replace(/[.+^${}()|\\[\]]/g, "\\$&");
  });
  return new RegExp(`^${source}$`);
}
