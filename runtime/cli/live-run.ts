/**
 * Runs a node until it is told to stop, or fails.
 *
 *   first signal    clean: what runs beside the node ends, the node stops with a snapshot, within STOP_MS
 *   second signal   at once; the embedded nats-server ends with the process
 */
import type { RunningNode } from '../main-node.js';
import { EXIT } from './exit.js';

const STOP_MS = 5_000;
/** Of STOP_MS, what the node is given; the rest is for the nats-server. */
const NODE_SHARE = 0.8;
/** `npm start` hands on the signal that the terminal has sent to all: these two are one. */
const SAME_SIGNAL_MS = 500;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function runNode(
  launch: () => Promise<RunningNode>,
  live: (node: RunningNode, signal: AbortSignal) => Promise<void>,
  onStopping: () => void,
): Promise<number> {
  const abort = new AbortController();
  const release = onSignals(abort);
  try {
    const node = await launch();
    let failure: Error | undefined;
    void node.failed.then((error) => {
      failure = error;
      abort.abort();
    });
    abort.signal.addEventListener('abort', cutShort, { once: true });
    if (abort.signal.aborted) cutShort();
    try {
      await live(node, abort.signal);
      await aborted(abort.signal);
    } finally {
      if (failure === undefined) onStopping();
      await node.stop(STOP_MS * NODE_SHARE);
    }
    if (failure !== undefined) throw failure;
    return EXIT.ok;
  } finally {
    release();
  }
}

/** A stop that hangs must not outlast its deadline: what is not written is replayed at the next start. */
function cutShort(): void {
  const seconds = STOP_MS / 1000;
  setTimeout(() => {
    process.stderr.write(
      `warning: the stop took longer than ${seconds} s and was cut short; the next start replays the rest\n`,
    );
    process.exit(EXIT.failed);
  }, STOP_MS).unref();
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
