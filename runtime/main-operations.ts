/** What those who run a node ask it over HTTP (composition). */
import type { Operations } from '../connectors/http/operations-ports.js';
import { systemClock } from './contract/clock.js';
import { deadLettersOf, lateEventsOf } from './node/dead-letters.js';
import type { NodeFacts } from './node/http-facade.js';
import { statusReport } from './node/status.js';
import { version } from './contract/version.js';

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
