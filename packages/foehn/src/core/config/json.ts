// JSON with places (RFC 8259). JSON.parse says where an error is only sometimes and where a value is never, so the text is
// walked once more here. Strict: no comments, no trailing commas, no duplicate keys.

import { type LocatedValue, pathKey, positionAt, SyntaxProblem } from "./located.js";

/** @throws SyntaxProblem */
export function readJson(text: string): LocatedValue {
  const starts = new Map<string, number>();
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;

  const fail = (message: string, offset = at): never => {
    throw new SyntaxProblem(message, positionAt(text, offset));
  };
  const found = (): string => (at < text.length ? JSON.stringify(text[at]) : "the end of the file");
  const skip = (): void => {
    while (at < text.length && " \t\r\n".includes(text[at]!)) at++;
    if (text[at] === "/" && "/*".includes(text[at + 1] ?? " "))
      fail("JSON has no comments; use YAML or TOML for those");
  };
  const expectString = (): string => {
    const match = /"(?:[^"\\]|\\.)*"?/sy;
    match.lastIndex = at;
    const raw = match.exec(text)?.[0] ?? "";
    if (raw.length < 2 || !raw.endsWith('"') || raw.includes("\n")) fail("a string is not closed");
    try {
      const value = JSON.parse(raw) as string;
      at += raw.length;
      return value;
    } catch {
      return fail(`${raw} has a character or escape that JSON strings do not allow`);
    }
  };
  const value = (path: readonly PropertyKey[]): unknown => {
    skip();
    if (!starts.has(pathKey(path))) starts.set(pathKey(path), at);
    const first = text[at];
    if (first === "{") return object(path);
    if (first === "[") return list(path);
    if (first === '"') return expectString();
    const match = /[^\s,\]}:"{[]+/y;
    match.lastIndex = at;
    const word = match.exec(text)?.[0];
    if (word === undefined) return fail(`expected a value, found ${found()}`);
    try {
      const scalar = JSON.parse(word) as unknown;
      at += word.length;
      return scalar;
    } catch {
      return fail(`${word} is not a JSON value (strings need double quotes)`);
    }
  };
  const object = (path: readonly PropertyKey[]): unknown => {
    const result: Record<string, unknown> = {};
    at++;
    skip();
    if (text[at] === "}") {
      at++;
      return result;
    }
    for (;;) {
      skip();
      if (text[at] !== '"')
        fail(
          text[at] === "}" ? "a comma before } is one too many" : `expected a key in double quotes, found ${found()}`,
        );
      const keyAt = at;
      const key = expectString();
      if (Object.hasOwn(result, key)) fail(`the key "${key}" stands there twice`, keyAt);
      starts.set(pathKey([...path, key]), keyAt);
      skip();
      if (text[at] !== ":") fail(`expected ":" after the key "${key}", found ${found()}`);
      at++;
      // defineProperty, because a plain assignment to "__proto__" would vanish
      Object.defineProperty(result, key, {
        value: value([...path, key]),
        enumerable: true,
        writable: true,
        configurable: true,
      });
      skip();
      if (text[at] === "}") break;
      if (text[at] !== ",") fail(`expected "," or "}", found ${found()}`);
      at++;
    }
    at++;
    return result;
  };
  const list = (path: readonly PropertyKey[]): unknown => {
    const result: unknown[] = [];
    at++;
    skip();
    if (text[at] === "]") {
      at++;
      return result;
    }
    for (;;) {
      skip();
      if (text[at] === "]") fail("a comma before ] is one too many");
      result.push(value([...path, result.length]));
      skip();
      if (text[at] === "]") break;
      if (text[at] !== ",") fail(`expected "," or "]", found ${found()}`);
      at++;
    }
    at++;
    return result;
  };

  skip();
  if (at >= text.length) fail("the file is empty");
  const result = value([]);
  skip();
  if (at < text.length) fail(`expected the end of the file, found ${found()}${afterTheEnd(text, at)}`);
  return {
    value: result,
    locate: (path) => {
      const offset = starts.get(pathKey(path));
      return offset === undefined ? undefined : positionAt(text, offset);
    },
  };
}

/** What was probably meant where text follows the bracket that closed everything: mostly that bracket is one too many. */
function afterTheEnd(text: string, at: number): string {
  const end = text.slice(0, at).trimEnd().length - 1;
  const bracket = text[end];
  if (bracket !== "}" && bracket !== "]") return "";
  const { line, column } = positionAt(text, end);
  const place = `the ${bracket} at ${line}:${column}`;
  return /^\s*(,\s*"|,?\s*[}\]])/.test(text.slice(at))
    ? `: ${place} closes the whole file, so it is probably one too many`
    : `: ${place} closes the whole file`;
}
