// TOML 1.0 with places. smol-toml gives the values and the place of syntax errors; the places of keys come from a small scan
// of the same text, which may assume that the text is valid because the library has read it before.

import { parse, TomlDate, TomlError } from "smol-toml";
import { type LocatedValue, pathKey, positionAt, SyntaxProblem } from "./located.js";

/** @throws SyntaxProblem */
export function readToml(text: string): LocatedValue {
  let value: unknown;
  try {
    value = plain(parse(text));
  } catch (err) {
    if (!(err instanceof TomlError)) throw err;
    const message = err.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    throw new SyntaxProblem(message, { line: err.line, column: err.column });
  }
  const starts = scanKeys(text);
  return {
    value,
    locate(path) {
      const offset = path.length === 0 ? 0 : starts.get(pathKey(path));
      return offset === undefined ? undefined : positionAt(text, offset);
    },
  };
}

/** Dates become text, as in the other formats: the schema decides what to make of them. */
function plain(value: unknown): unknown {
  if (value instanceof TomlDate) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, plain(v)]));
}

/** Offsets of all keys and list entries of a valid TOML text. */
function scanKeys(text: string): Map<string, number> {
  const starts = new Map<string, number>();
  const tables = new Map<string, number>(); // how many [[tables]] each path has so far
  let at = 0;

  const note = (path: readonly PropertyKey[], offset: number): void => {
    const key = pathKey(path);
    if (!starts.has(key)) starts.set(key, offset);
  };
  const skip = (whitespace: string): void => {
    for (; at < text.length; at++) {
      if (text[at] === "#") while (at + 1 < text.length && text[at + 1] !== "\n") at++;
      else if (!whitespace.includes(text[at]!)) return;
    }
  };
  const word = (pattern: RegExp): string => {
    const sticky = new RegExp(pattern.source, "sy");
    sticky.lastIndex = at;
    const found = sticky.exec(text)?.[0] ?? "";
    at += found.length;
    return found;
  };
  const string = (): string => {
    if (text.startsWith('"""', at)) return word(/"""(?:[^\\]|\\.)*?"{3,5}(?!")/);
    if (text.startsWith("'''", at)) return word(/'''.*?'{3,5}(?!')/);
    return text[at] === '"' ? word(/"(?:[^"\\]|\\.)*"/) : word(/'[^']*'/);
  };
  /** A dotted key: its parts with their offsets. */
  const keys = (): { key: string; offset: number }[] => {
    const parts: { key: string; offset: number }[] = [];
    for (;;) {
      skip(" \t");
      const start = at;
      const raw = `"'`.includes(text[at]!) ? string() : word(/[A-Za-z0-9_-]+/);
      const key = raw.startsWith("'") ? raw.slice(1, -1) : raw.startsWith('"') ? (JSON.parse(raw) as string) : raw;
      parts.push({ key, offset: start });
      skip(" \t");
      if (text[at] !== ".") return parts;
      at++;
    }
  };
  const value = (path: readonly PropertyKey[]): void => {
    skip(" \t");
    const first = text[at]!;
    if (first === '"' || first === "'") string();
    else if (first === "[") {
      at++;
      for (let i = 0; ; i++) {
        skip(" \t\r\n,");
        if (text[at] === "]" || at >= text.length) break;
        note([...path, i], at);
        value([...path, i]);
      }
      at++;
    } else if (first === "{") {
      at++;
      for (;;) {
        skip(" \t\r\n,");
        if (text[at] === "}" || at >= text.length) break;
        entry(path);
      }
      at++;
    } else word(/[^,\]}\n#]+/);
  };
  const entry = (base: readonly PropertyKey[]): void => {
    const path = [...base];
    for (const { key, offset } of keys()) {
      path.push(key);
      note(path, offset);
    }
    at++; // "="
    value(path);
  };
  /** `[a.b]` or `[[a.b]]`: the table it opens. Inside a list of tables, a name means its latest entry. */
  const header = (): PropertyKey[] => {
    const start = at;
    const isList = text.startsWith("[[", at);
    at += isList ? 2 : 1;
    const parts = keys();
    at += isList ? 2 : 1;
    const path: PropertyKey[] = [];
    for (const [i, { key, offset }] of parts.entries()) {
      path.push(key);
      note(path, offset);
      const name = pathKey(path);
      if (isList && i === parts.length - 1) tables.set(name, (tables.get(name) ?? 0) + 1);
      const count = tables.get(name);
      if (count === undefined) continue;
      path.push(count - 1);
      note(path, start);
    }
    return path;
  };

  let table: PropertyKey[] = [];
  for (;;) {
    skip(" \t\r\n");
    if (at >= text.length) return starts;
    if (text[at] === "[") table = header();
    else entry(table);
  }
}
