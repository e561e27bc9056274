/** What those who run a node ask it over HTTP (composition). */
import type { Operations } from '../connectors/http/operations-ports.js';
import { systemClock } from './clock.js';
import { version } from './main-about.js';
import { deadLettersOf, lateEventsOf } from './main-dead-letters.js';
import type { NodeFacts } from './main-http.js';
import { type Lag, statusReport } from './main-status.js';

export function operationsOf(facts: NodeFacts, startedAtMs: number, httpTotal: () => number): Operations {
  const { log, node, topology, pipeline, telemetry, statuses, health } = facts;
  return {
    deadLetters: deadLettersOf(log, systemClock),
    lateEvents: lateEventsOf(log, systemClock, pipeline.window.kind),
    status: {
      report: () =>
        statusReport({
          ...{ version: version(), node, startedAtMs, topology, statuses, health },
          latencies: () => telemetry.latencies(),
          lagOf: lagUnknown,
          requests: () => ({ http: httpTotal(), grpc: telemetry.calls.total }),
          nowMs: () => systemClock.nowMs(),
        }),
    },
  };
}

/** Nobody measures it yet. */
const lagUnknown = (): Lag | undefined => undefined;
