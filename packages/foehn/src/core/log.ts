// The logger a library function may be given. Four methods and nothing else, so that any logger fits; the default writes
// to stderr, where it cannot disturb output that a program reads.

/** Messages by severity; `fields` are extra values for machines. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

const levels = ["debug", "info", "warn", "error"] as const;

/** Severities, mildest first. */
export type LogLevel = (typeof levels)[number];

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** The mildest message to write. Default "info". */
  readonly level?: LogLevel;
  /** One JSON object per line instead of text. */
  readonly json?: boolean;
  /** Where lines go. Default: stderr. */
  readonly write?: (line: string) => void;
}

/** A logger that writes lines: `warning: message key=value`, or JSON. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const least = levels.indexOf(options.level ?? "info");
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const log = (level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    if (levels.indexOf(level) < least) return;
    if (options.json) {
      write(`${JSON.stringify({ level, message, ...fields })}\n`);
      return;
    }
    const label = level === "info" ? "" : `${level === "warn" ? "warning" : level}: `;
    const tail = Object.entries(fields).map(
      ([k, v]) => ` ${k}=${typeof v === "object" ? JSON.stringify(v) : String(v)}`,
    );
    write(`${label}${message}${tail.join("")}\n`);
  };
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}

/** A logger that says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
