// The command line: from arguments to an exit status. Verbs are imported only when they are used, so that `foehn --version`
// and `foehn --help` answer at once. Not here: what any verb does (commands/).

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { errorToJson, exitCodeOf, type FoehnError, formatError, UsageError } from "../core/errors.js";
import { normaliseArguments } from "./command-line.js";
import { createConsole, type GlobalOptions, type Streams } from "./io.js";
import { pathsOption } from "./options.js";
import type { Action, Runner } from "./verb.js";
import { verbs } from "./verbs.js";

/** The version of this package. */
export function version(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

/**
 * Runs a command line.
 * @param given the arguments after `foehn`
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 not trusted, 130 interrupted. Nothing is thrown.
 */
export async function main(
  given: readonly string[],
  streams: Streams = { stdout: process.stdout, stderr: process.stderr },
): Promise<number> {
  const argv = normaliseArguments(given);
  if (streams.stdout === process.stdout) ignoreBrokenPipes();
  const globals: GlobalOptions = {
    json: argv.includes("--json"),
    debug: argv.includes("--debug"),
    quiet: argv.includes("--quiet") || argv.includes("-q"),
  };
  try {
    const program = await buildProgram(argv, streams);
    if (argv.every((arg) => ["--json", "--debug", "--quiet", "-q"].includes(arg))) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
    return 0;
  } catch (thrown) {
    const err = thrown instanceof CommanderError ? fromCommander(thrown, argv) : thrown;
    if (err === undefined) return 0;
    if (globals.json && !globals.debug) streams.stderr.write(`${JSON.stringify(errorToJson(err))}\n`);
    else streams.stderr.write(`${formatError(err, { debug: globals.debug })}\n`);
    return exitCodeOf(err);
  }
}

async function buildProgram(argv: readonly string[], streams: Streams): Promise<Command> {
  const wanted = argv.find((arg, i) => !arg.startsWith("-") && argv[i - 1] !== "--plugin");
  const helpFor = wanted === "help" ? argv[argv.indexOf("help") + 1] : wanted;
  const program = new Command("foehn")
    .usage("<verb> [options]")
    .description("Bring your own weather model: train, package, forecast and score networks on gridded weather data.")
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [verb]", "show help for a verb")
    .option("--json", "print the result as JSON on stdout, and progress as JSON lines on stderr")
    .option("-q, --quiet", "no progress, only results and errors")
    .option("--debug", "show where an error comes from")
    .addOption(
      pathsOption(
        "--plugin <file>",
        "a .ts or .js file with a network, strategy or observer of yours; may be repeated",
      ),
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
      outputError: () => {}, // printed once, in our style, by main()
      getOutHelpWidth: () => Math.min(streams.stdout.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(streams.stderr.columns ?? 100, 120),
    })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", afterHelp);
  const run: Runner =
    <O, A extends readonly unknown[]>(action: Action<O, A>) =>
    async (...all: unknown[]): Promise<void> => {
      // commander hands over the arguments, then the options, then the command itself
      const options = (all.at(-1) as Command).optsWithGlobals<O & GlobalOptions>();
      if (options.plugin !== undefined) {
        const { loadPluginFiles } = await import("../training/plugins.js");
        await loadPluginFiles(options.plugin);
      }
      await action(createConsole(streams, options), options, ...(all.slice(0, -2) as unknown as A));
    };
  for (const verb of verbs) {
    const command = program
      .command(verb.name)
      .summary(verb.summary)
      .description(`${verb.summary[0]!.toUpperCase()}${verb.summary.slice(1)}.`)
      .helpGroup(`${verb.group}:`);
    if (verb.name === helpFor) (await verb.load()).define(command, run);
  }
  return program;
}

const afterHelp = `
Examples:
  foehn demo                                        see the whole chain at work
  foehn dataset inspect era5.grib                   what is in a file
  foehn train --dataset gridded --dataset-conf dataset.yaml --epochs 12 --output my-model
  foehn forecast my-model --data era5.grib --start 2019-03-28T00 --steps 12 -o forecast.nc
  foehn score my-model --data era5.grib -n 12 -o scores.nc
  foehn train --help                                every verb explains itself

Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 not trusted, 130 interrupted.
`;

/** Our error for one of commander's; undefined where commander only printed help or the version. */
function fromCommander(err: CommanderError, argv: readonly string[]): FoehnError | undefined {
  if (err.exitCode === 0) return undefined;
  const wanted = argv.find((arg) => verbs.some((verb) => verb.name === arg));
  const help = `foehn ${wanted ? `${wanted} ` : ""}--help shows what there is`;
  if (err.code === "commander.help") return undefined; // a verb with parts was given without one: its help was shown
  const [what, ...rest] = err.message.replace(/^error: /, "").split("\n");
  const suggestion = /\(Did you mean (.*)\?\)/.exec(rest.join(" "))?.[1];
  const message = what!.replaceAll("'", '"');
  return new UsageError(message, { hint: suggestion ? `Did you mean "${suggestion}"?` : help });
}

let listening = false;

/** `foehn … | head` must end quietly when head has read enough. */
function ignoreBrokenPipes(): void {
  if (listening) return;
  listening = true;
  process.stdout.on("error", (err: NodeJS.ErrnoException) => {
    if (err.code !== "EPIPE") throw err;
    process.exit(0);
  });
  process.stderr.on("error", (err: NodeJS.ErrnoException) => {
    if (err.code !== "EPIPE") throw err;
  });
}
