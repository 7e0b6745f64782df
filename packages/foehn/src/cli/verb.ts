// What a verb of the command line is: a line in the table of verbs, and a file that is imported only when the verb is used.

import type { Command } from "commander";
import type { Console, GlobalOptions } from "./io.js";

/** What a verb does. `args` are its arguments in their order, as its command declares them. */
export type Action<O, A extends readonly unknown[]> = (
  console: Console,
  options: O & GlobalOptions,
  ...args: A
) => Promise<void>;

/** Makes commander's action handler of ours. */
export type Runner = <O, A extends readonly unknown[]>(action: Action<O, A>) => (...all: unknown[]) => Promise<void>;

/** Adds a verb's arguments, options, help and action to its command. */
export type DefineVerb = (command: Command, run: Runner) => void;

/** A verb as the table knows it. */
export interface Verb {
  readonly name: string;
  /** One line of `foehn --help`, without a full stop. */
  readonly summary: string;
  readonly group: string;
  readonly load: () => Promise<{ readonly define: DefineVerb }>;
}
