/** What those who run a node ask it over HTTP (composition). */
import type { Operations } from '../connectors/http/operations-ports.js';
import { systemClock } from './clock.js';
import { deadLettersOf, lateEventsOf } from './main-dead-letters.js';
import type { NodeFacts } from './main-http.js';
import { statusReport } from './main-status.js';
import { version } from './version.js';

export function operationsOf(facts: NodeFacts, startedAtMs: number): Operations {
  const { log, node, topology, pipeline, telemetry, statuses, health } = facts;
  return {
    deadLetters: deadLettersOf(log, systemClock),
    lateEvents: lateEventsOf(log, systemClock, pipeline.window.kind),
    status: {
      report: () =>
        statusReport({
          ...{ version: version(), node, startedAtMs, topology, statuses, health },
          latencies: () => telemetry.latencies(),
          requests: () => ({ http: telemetry.requests.total, grpc: telemetry.calls.total }),
          nowMs: () => systemClock.nowMs(),
        }),
    },
  };
}
