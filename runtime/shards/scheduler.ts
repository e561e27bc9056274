/**
 * The cooperative scheduler of a thread, shared by all work on it.
 *
 * An awaited value is often there already: then promises resolve one after the other, and timers, sockets and the façade's calls get no turn of the
 * event loop. So a loop asks the scheduler after each piece of work whether it must yield.
 *
 * Invariants
 * SCHEDULER-1  Between two turns of the event loop at most BUDGET_MS and one piece of work run.
 * SCHEDULER-2  Waiting work resumes in order, one piece a turn: none is passed over.
 * SCHEDULER-3  Recovery has a queue of its own, which gets three turns of four: requests may wait for state that is being restored, and a start for all of it.
 */

const BUDGET_MS = 8;
const RESTORES_OF_TURNS = 4;

/** Undefined: go on. Uses telemetry's clock, never seen by a stage. */
export type Scheduler = (work?: 'restore') => Promise<void> | undefined;

let ofThread: Scheduler | undefined;

/** The scheduler of this thread. */
export const threadScheduler = (): Scheduler => (ofThread ??= makeTurns());

function makeTurns(): Scheduler {
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
