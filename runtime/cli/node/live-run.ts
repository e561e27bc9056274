/**
 * Runs a node until it is stopped or fails.
 *
 *   first signal    clean: tasks beside the node end, the node stops with a snapshot, all within STOP_MS. Unfinished steps are reported, and the exit
 *                   code is 4: nothing is lost, the next start replays them
 *   second signal   at once; the embedded nats-server ends with the process
 */
import type { RunningNode } from '../../node/node.js';
import { hasCode } from '../../contract/errors.js';
import { EXIT } from '../exit.js';

const STOP_MS = 8_000;
/** Without its nats-server a node can store nothing more: there is nothing to wait for. */
const STOP_WITHOUT_NATS_MS = 1_000;
/** By then the tasks beside the node and the node's own stop must have ended: past this, something hangs. */
const HANGS_MS = STOP_MS + 1_000;
/** `npm start` forwards the signal that the terminal has sent to all processes: these two count as one. */
const SAME_SIGNAL_MS = 500;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function runNode(
  launch: () => Promise<RunningNode>,
  live: (node: RunningNode, signal: AbortSignal) => Promise<void>,
  onStopping: () => void,
): Promise<number> {
  const abort = new AbortController();
  const release = onSignals(abort);
  let stopAtMs = Infinity;
  let hangs: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    stopAtMs = performance.now() + STOP_MS;
    hangs = setTimeout(cutShort, HANGS_MS).unref();
  };
  abort.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const node = await launch();
    let failure: Error | undefined;
    let isReason = false;
    void node.failed.then((error) => {
      failure = error;
      isReason = !abort.signal.aborted;
      abort.abort();
    });
    let unfinished: readonly string[] = [];
    try {
      await live(node, abort.signal);
      await aborted(abort.signal);
    } finally {
      if (failure === undefined) onStopping();
      const stopMs = hasCode(failure, 'NATS_SERVER_DOWN') ? STOP_WITHOUT_NATS_MS : STOP_MS;
      unfinished = await node.stop(Math.min(stopMs, Math.max(0, stopAtMs - performance.now())));
      if (unfinished.length > 0) reportUnfinished(unfinished);
    }
    // A failure caused by an interrupted stop is reported already.
    if (failure !== undefined && (isReason || unfinished.length === 0)) throw failure as Error;
    return unfinished.length === 0 ? EXIT.ok : EXIT.unfinished;
  } finally {
    clearTimeout(hangs);
    release();
  }
}

/** A stop that hangs must not exceed its deadline. */
function cutShort(): void {
  reportUnfinished(['something that does not answer']);
  process.exit(EXIT.unfinished);
}

function reportUnfinished(what: readonly string[]): void {
  process.stderr.write(
    `warning: the stop was cut short; the next start replays the rest. Not finished: ${what.join(', ')}\n`,
  );
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

function onSignals(abort: AbortController): () => void {
  let firstAt: number | undefined;
  let keepAlive: NodeJS.Timeout | undefined;
  const onSignal = (): void => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      abort.abort();
    } else if (now - firstAt > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // A process that only waits has nothing else that keeps it alive.
  keepAlive = setInterval(() => undefined, 60_000);
  return () => {
    clearInterval(keepAlive);
    keepAlive = undefined;
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
