// Holds the import directions of docs/architecture.md: rooms import downwards only, packages only through their front door,
// no file imports itself through others, and the start of the command line stays light.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The rooms of packages/foehn/src, lowest first. */
const rooms = [
  "core",
  "tensor",
  "grid",
  "variables",
  "io",
  "sources",
  "datasets",
  "models",
  "training",
  "hub",
  "forecast",
  "scores",
  "plots",
  "tracking",
  "services",
  "cli",
];

interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Types only: gone at run time. */
  readonly typeOnly: boolean;
  /** `import()`: run when reached, not when loaded. */
  readonly dynamic: boolean;
}

interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly name: string;
  readonly imports: readonly Import[];
}

function importsOf(name: string, text: string): Import[] {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, false);
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean, dynamic: boolean): void => {
    if (!specifier || !ts.isStringLiteral(specifier)) return;
    found.push({
      specifier: specifier.text,
      line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1,
      typeOnly,
      dynamic,
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const named = node.importClause?.namedBindings;
      const allTypes =
        node.importClause?.name === undefined &&
        named !== undefined &&
        ts.isNamedImports(named) &&
        named.elements.length > 0 &&
        named.elements.every((e) => e.isTypeOnly);
      add(node, node.moduleSpecifier, node.importClause?.isTypeOnly === true || allTypes, false);
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.isTypeOnly, false);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false, true);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, true, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function read(folder: string): SourceFile[] {
  const full = path.join(root, folder);
  if (!existsSync(full)) return [];
  return readdirSync(full, { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return read(name);
    if (!entry.name.endsWith(".ts") || entry.name.endsWith(".d.ts")) return [];
    return [{ name, imports: importsOf(name, readFileSync(path.join(root, name), "utf8")) }];
  });
}

const packages = readdirSync(path.join(root, "packages"));
const files = packages.flatMap((name) => read(`packages/${name}/src`));
const byName = new Map(files.map((file) => [file.name, file]));
const isTest = (name: string): boolean => name.endsWith(".test.ts");

/** The file a relative import means; undefined for packages. */
function target(file: SourceFile, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return path.posix.join(path.posix.dirname(file.name), specifier).replace(/\.js$/, ".ts");
}

const roomOf = (name: string): string | undefined => /^packages\/foehn\/src\/([^/]+)\//.exec(name)?.[1];

describe("import directions", () => {
  it("has read the sources", () => {
    expect(files.length).toBeGreaterThan(50);
    expect(byName.get("packages/foehn/src/core/time.ts")?.imports.map((i) => i.specifier)).toContain("./errors.js");
  });

  it("know every room", () => {
    const found = new Set(files.map((file) => roomOf(file.name)).filter((room) => room !== undefined));
    expect([...found].filter((room) => !rooms.includes(room))).toEqual([]);
  });

  it("point downwards between rooms", () => {
    const wrong = files
      .filter((file) => roomOf(file.name) && !isTest(file.name))
      .flatMap((file) =>
        file.imports
          .map((i) => ({ ...i, to: target(file, i.specifier) }))
          .filter(({ to }) => {
            const room = to === undefined ? undefined : roomOf(to);
            if (to?.startsWith("packages/foehn/src/") && !room) return true; // index.ts is for outsiders
            return room !== undefined && rooms.indexOf(room) > rooms.indexOf(roomOf(file.name)!);
          })
          .map((i) => `${file.name}:${i.line} imports ${i.specifier}`),
      );
    expect(wrong).toEqual([]);
  });

  it("go through the front door of other packages, and @foehn/torch knows nothing of foehn", () => {
    const wrong = files.flatMap((file) => {
      const home = file.name.split("/").slice(0, 3).join("/");
      return file.imports
        .filter(({ specifier }) => {
          const to = target(file, specifier);
          // A test may read what stands outside the sources (a script, a golden file), never another package's insides.
          if (to !== undefined) return !to.startsWith(`${home}/`) && (!isTest(file.name) || to.includes("/src/"));
          if (/^@foehn\/[^/]+\/(?!package\.json$)/.test(specifier) || /^foehn\//.test(specifier)) return true;
          return file.name.startsWith("packages/torch/") && (specifier === "foehn" || specifier.startsWith("foehn/"));
        })
        .map((i) => `${file.name}:${i.line} imports ${i.specifier}`);
    });
    expect(wrong).toEqual([]);
  });

  it("name files that exist, with their ending", () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith("."))
        .filter(({ specifier }) => {
          const to = target(file, specifier)!;
          return (
            !byName.has(to) && !existsSync(path.join(root, to)) && !existsSync(path.join(root, to.replace(/ts$/, "js")))
          );
        })
        .map((i) => `${file.name}:${i.line} imports ${i.specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it("make no circles", () => {
    // Imports of types and imports inside functions are no circles at load time.
    const next = (name: string): string[] =>
      (byName.get(name)?.imports ?? [])
        .filter((i) => !i.typeOnly && !i.dynamic)
        .map((i) => target(byName.get(name)!, i.specifier))
        .filter((to): to is string => to !== undefined && byName.has(to));
    const state = new Map<string, "open" | "done">();
    const circles: string[] = [];
    const visit = (name: string, trail: readonly string[]): void => {
      if (state.get(name) === "done") return;
      if (state.get(name) === "open") {
        circles.push([...trail.slice(trail.indexOf(name)), name].join(" -> "));
        return;
      }
      state.set(name, "open");
      for (const to of next(name)) visit(to, [...trail, name]);
      state.set(name, "done");
    };
    for (const file of files) visit(file.name, []);
    expect(circles).toEqual([]);
  });
});

describe("the start of the command line", () => {
  it("loads nothing but the argument parser and a few small files of ours", () => {
    const entry = "packages/foehn/src/cli/main.ts";
    const seen = new Set<string>();
    const outside = new Set<string>();
    const visit = (name: string): void => {
      if (seen.has(name)) return;
      seen.add(name);
      const file = byName.get(name);
      for (const i of file?.imports ?? []) {
        if (i.typeOnly || i.dynamic) continue;
        const to = target(file!, i.specifier);
        if (to !== undefined) visit(to);
        else if (!i.specifier.startsWith("node:")) outside.add(i.specifier);
      }
    };
    visit(entry);
    expect(byName.has(entry)).toBe(true);
    expect([...outside]).toEqual(["commander"]);
    expect([...new Set([...seen].map(roomOf))].sort()).toEqual(["cli", "core"]);
    expect(seen.size).toBeLessThan(20);
  });
});
