/** Runs an external command within a time limit, and explains in one line why it failed. */
import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

const OUTPUT_CHARS_MAX = 64 * 1024;
const REASON_CHARS_MAX = 300;

/**
 * Resolves with the command's stdout (its last 64 Ki characters).
 * Rejects when it is not installed, fails, exceeds the time limit (it is killed) or the signal is aborted.
 */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const { env, timeoutMs, cwd, signal } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout = (stdout + String(chunk)).slice(-OUTPUT_CHARS_MAX)));
    child.stderr.on('data', (chunk) => (stderr = (stderr + String(chunk)).slice(-OUTPUT_CHARS_MAX)));

    const giveUp = (reason: string): void => {
      child.kill('SIGKILL');
      // A grandchild may still have the pipes open; nothing reads them any more.
      child.stdout.destroy();
      child.stderr.destroy();
      settle(new Error(reason));
    };
    const timer = setTimeout(() => giveUp(`took longer than ${timeoutMs / 1000} s`), timeoutMs);
    const onAbort = (): void => giveUp('stopped');
    signal?.addEventListener('abort', onAbort, { once: true });

    const settle = (error?: Error): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) resolve(stdout);
      else reject(error);
    };
    child.once('error', (error: NodeJS.ErrnoException) =>
      settle(new Error(error.code === 'ENOENT' ? `${command} is not installed` : `cannot run (${error.code})`)),
    );
    child.once('close', (code, killedBy) => {
      if (code === 0) settle();
      else settle(new Error(`exited with ${code ?? killedBy}: ${lastLine(stderr) || lastLine(stdout)}`));
    });
  });
}

/** The last line with text: tools put their verdict there. */
export function lastLine(output: string): string {
  const line = output.trim().split('\n').at(-1)?.trim() ?? '';
  return withoutHosts(line).slice(0, REASON_CHARS_MAX);
}

/** Package registries are often private mirrors: their addresses (and tokens in them) stay out of logs and messages. */
export function withoutHosts(text: string): string {
  return text
    .replace(/\b[a-z][a-z+]*:\/\/[^\s"'>,)]+/gi, '<url>')
    .replace(/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?/g, '<address>')
    .replace(/\[[\da-f:]*:[\da-f:]+\](?::\d+)?/gi, '<address>')
    .replace(/\b(lookup|host)([ =]['"]?)[\w.-]+/gi, '$1$2<host>');
}
