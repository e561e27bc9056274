/**
 * Turns of the event loop of this thread, shared by all that works on it.
 *
 * What is awaited is often there already: then work goes on from promise to promise, and neither timers nor sockets get their turn, nor the
 * calls that the façade must answer. So whoever works in a loop asks after each piece whether it is time to wait.
 *
 * Invariants
 *   W1  Between two turns of the loop run at most BUDGET_MS and one piece.
 *   W2  Who waits goes on in the order in which they came, one a turn: none is passed over.
 */

const BUDGET_MS = 8;

/** Undefined: go on. Telemetry's clock, never seen by a stage. */
export type Turn = () => Promise<void> | undefined;

export function loopTurns(): Turn {
  const waiting: (() => void)[] = [];
  let startedMs: number | undefined;
  let armed = false;
  const arm = (): void => {
    if (armed) return;
    armed = true;
    setImmediate(() => {
      armed = false;
      const next = waiting.shift();
      startedMs = undefined;
      if (next === undefined) return;
      arm();
      startedMs = performance.now();
      next();
    });
  };
  return () => {
    const now = performance.now();
    startedMs ??= now;
    arm();
    if (now - startedMs < BUDGET_MS) return undefined;
    return new Promise((resolve) => waiting.push(resolve));
  };
}
