// A configuration text that knows where each of its values stands. The three readers beside this file produce it.

/** A place in a text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The value of a text and a way to find the place of any part of it. */
export interface LocatedValue {
  readonly value: unknown;
  /** Where the key (for list entries: the entry) at `path` stands; undefined when the text has none. */
  locate(path: readonly PropertyKey[]): Position | undefined;
}

/** A syntax error, with its place. */
export class SyntaxProblem extends Error {
  constructor(
    message: string,
    readonly position: Position | undefined,
  ) {
    super(message);
  }
}

/** One string per path, unambiguous: the keys of the location tables. */
export const pathKey = (path: readonly PropertyKey[]): string => JSON.stringify(path.map(String));

/** Line and column of an offset. */
export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  let line = 1;
  for (let i = before.indexOf("\n"); i >= 0; i = before.indexOf("\n", i + 1)) line++;
  return { line, column: offset - lineStart + 1 };
}
