/** How a command ends: exit codes, and readable errors on stderr. */
import { ERROR_CODES } from '../contract/error-codes.js';
import { asError, fatal, RivuletError } from '../contract/errors.js';

export const EXIT = { ok: 0, failed: 1, usage: 2, cannotStart: 3, unfinished: 4, interrupted: 130 } as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0    done
  1    failed while running
  2    wrong usage or configuration
  3    cannot start, or reach a node (port taken, no nats-server, data directory in use, other number of partitions)
  4    stopped, but not all was finished within the deadline: the next start replays it
  130  interrupted (Ctrl-C) before it was done`;

/** By code; any other error is a bug, which fails. */
const CLASSES = new Map<string, keyof typeof ERROR_CODES>(
  (Object.entries(ERROR_CODES) as [keyof typeof ERROR_CODES, readonly string[]][]).flatMap(([end, codes]) =>
    codes.map((code) => [code, end] as const),
  ),
);

/** Wrong arguments: fatal USAGE, exit code 2. */
export const usage = (message: string, hint?: string): RivuletError =>
  fatal('USAGE', message, hint === undefined ? {} : { hint });

/** Ctrl-C during a bounded job. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Turns Ctrl-C into an abort; `end` restores the default. */
export function interruptible(message = 'interrupted'): { readonly signal: AbortSignal; readonly end: () => void } {
  const abort = new AbortController();
  const onSignal = (): void => {
    abort.abort(new Interrupted(message));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal);
  return {
    signal: abort.signal,
    end: () => {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, onSignal);
    },
  };
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  return EXIT[(error instanceof RivuletError && CLASSES.get(error.code)) || 'failed'];
}

/** `error: …`, causes, `hint: …`. The stack is for debugging. */
export function errorText(thrown: unknown, withStack: boolean): string {
  const error = asError(thrown);
  if (error instanceof Interrupted) return error.message;
  const own = error instanceof RivuletError ? error : undefined;
  const lines = [`error: ${firstLineWith(error.message, ` [${own?.code ?? 'BUG'}]`)}`];
  for (let cause = error.cause, depth = 0; cause instanceof Error && depth < 3; cause = cause.cause, depth++) {
    if (!error.message.includes(cause.message)) lines.push(`why: ${cause.message}`);
  }
  if (own?.hint !== undefined) lines.push(`hint: ${own.hint}`);
  else if (own === undefined)
    lines.push('hint: this is a bug; run again with --log-level debug for the stack, and report it');
  if (withStack && error.stack !== undefined) lines.push(error.stack);
  return lines.join('\n');
}

function firstLineWith(message: string, suffix: string): string {
  const [first = '', ...rest] = message.split('\n');
  return [first + suffix, ...rest].join('\n');
}

/** Is the log level one that shows stacks? Read from the raw arguments, since the configuration may be the faulty part. */
export function wantsStack(argv: readonly string[], env: NodeJS.ProcessEnv): boolean {
  const at = argv.findIndex((word) => word === '--log-level' || word.startsWith('--log-level='));
  const flag = at < 0 ? undefined : argv[at]!.includes('=') ? argv[at]!.split('=')[1] : argv[at + 1];
  return /^(debug|trace)$/.test(flag ?? env.RIVULET_LOG_LEVEL ?? '');
}
