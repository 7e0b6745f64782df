// The command as it was typed, for the `history` of the files it writes.

/** `foehn forecast 'my model' -n 4`: quoted for a POSIX shell where it must be. */
export function commandLine(argv: readonly string[] = process.argv.slice(2)): string {
  const quoted = argv.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`));
  return `foehn ${quoted.join(" ")}`;
}
