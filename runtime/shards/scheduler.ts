/**
 * Turns of the event loop of this thread, shared by all that works on it.
 *
 * What is awaited is often there already: then work goes on from promise to promise, and neither timers nor sockets get their turn, nor the
 * calls that the façade must answer. So whoever works in a loop asks after each piece whether it is time to wait.
 *
 * Invariants
 *   W1  Between two turns of the loop run at most BUDGET_MS and one piece.
 *   W2  Who waits goes on in the order in which they came, one a turn: none is passed over.
 *   W3  Who restores has a line of its own, which has three turns of four: others wait for what is not there yet, and a start for all of it.
 */

const BUDGET_MS = 8;
const RESTORES_OF_TURNS = 4;

/** Undefined: go on. Telemetry's clock, never seen by a stage. */
export type Turn = (work?: 'restore') => Promise<void> | undefined;

export function loopTurns(): Turn {
  const waiting: (() => void)[] = [];
  const restoring: (() => void)[] = [];
  let turns = 0;
  let startedMs: number | undefined;
  let armed = false;
  const arm = (): void => {
    if (armed) return;
    armed = true;
    setImmediate(() => {
      armed = false;
      const restoresNow = restoring.length > 0 && (waiting.length === 0 || ++turns % RESTORES_OF_TURNS !== 0);
      const next = (restoresNow ? restoring : waiting).shift();
      startedMs = undefined;
      if (next === undefined) return;
      arm();
      startedMs = performance.now();
      next();
    });
  };
  return (work) => {
    const now = performance.now();
    startedMs ??= now;
    arm();
    if (now - startedMs < BUDGET_MS) return undefined;
    return new Promise((resolve) => (work === 'restore' ? restoring : waiting).push(resolve));
  };
}
