// The command as it was typed: how its flags may be spelt, and its text for the `history` of the files it writes.

/** py4cast's short words of several letters. */
const shortWords: Readonly<Record<string, string>> = {
  "-cn": "--campaign-name",
  "-rn": "--run-name",
  "-cl": "--channels-last",
  "-pm": "--pin-memory",
};

/** Arguments with dashes for underscores in long flags (`--batch_size` is `--batch-size`), and long words for py4cast's short ones. */
export function normaliseArguments(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  const isTrain = argv.find((arg) => !arg.startsWith("-")) === "train";
  return argv.map((arg, i) => {
    if (end >= 0 && i >= end) return arg;
    if (isTrain && shortWords[arg] !== undefined) return shortWords[arg];
    return arg.replace(/^--[^=]+/, (flag) => flag.replaceAll("_", "-"));
  });
}

/** `foehn forecast 'my model' -n 4`: quoted for a POSIX shell where it must be. */
export function commandLine(argv: readonly string[] = process.argv.slice(2)): string {
  const quoted = argv.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`));
  return `foehn ${quoted.join(" ")}`;
}
