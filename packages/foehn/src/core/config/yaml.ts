// YAML 1.2 with places, through the `yaml` library. The core schema: `no` is a string, `2019-03-01` is a string, and no tag runs code.

import { isAlias, isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { type LocatedValue, type Position, SyntaxProblem } from "./located.js";

/** @throws SyntaxProblem */
export function readYaml(text: string): LocatedValue {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const problem = doc.errors[0];
  if (problem) throw new SyntaxProblem(problem.message.replace(/\s+/g, " "), place(problem.pos[0]));
  let value: unknown;
  try {
    value = doc.toJS({ maxAliasCount: 100 });
  } catch (err) {
    throw new SyntaxProblem(err instanceof Error ? err.message : String(err), undefined);
  }
  return {
    value: value ?? {},
    locate(path) {
      let node: Node | null | undefined = doc.contents;
      let start = node?.range?.[0];
      for (const key of path) {
        if (isAlias(node)) node = node.resolve(doc) ?? null;
        if (isMap(node)) {
          const pair = node.items.find(
            (item) => String((item.key as { value?: unknown } | null)?.value) === String(key),
          );
          if (!pair) return undefined;
          start = (pair.key as Node | null)?.range?.[0];
          node = pair.value as Node | null;
        } else if (isSeq(node)) {
          node = node.items[Number(key)] as Node | undefined;
          if (!node) return undefined;
          start = node.range?.[0];
        } else return undefined;
      }
      return start === undefined ? undefined : place(start);
    },
  };
}
