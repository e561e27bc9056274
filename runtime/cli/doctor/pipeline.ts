/** Doctor: findings from two samples of a node's stages. Which are down, restart or fall behind, and why, and what happens to events. */
import type { PartitionStatus, StatusReport } from '../../../connectors/http/routes/status-report.js';
import { broken, type Finding, ok, warning } from './finding.js';
import { isOverloaded, type Load } from './machine.js';
import { duration, grouped, harmless, shortened } from '../terminal.js';

/** The used fields of GET /status. */
export interface StatusResponse {
  readonly stages: readonly { readonly stage: string; readonly partitions: readonly InstanceStatus[] }[];
  /** Sums over the partitions of the node. */
  readonly counters: Readonly<Pick<StatusReport['counters'], 'events' | 'late' | 'dead_letter'>>;
}

export type InstanceStatus = Readonly<
  Pick<
    PartitionStatus,
    'partition' | 'state' | 'messages_in' | 'busy_seconds' | 'lag_messages' | 'lag_seconds' | 'restarts' | 'last_error'
  >
>;

/** A shorter lag is not reported. */
const LAG_SECONDS_MAX = 10;
/** Share of a second: above it an instance has no capacity left. */
const BUSY_SHARE = 0.8;
const LATE_SHARE = 0.05;
/** With fewer events, shares have no meaning. */
const EVENTS_LEAST = 100;
const ERROR_CHARACTERS_MAX = 200;
/** Of similar findings only the worst are reported. */
const TOLD_MAX = 5;

interface Instance extends InstanceStatus {
  readonly name: string;
  readonly before: InstanceStatus | undefined;
}

/** `seconds`: between the two samples. */
export function pipelineFindings(
  first: StatusResponse,
  second: StatusResponse,
  seconds: number,
  load: Load,
): readonly Finding[] {
  const instances = second.stages.flatMap(({ stage, partitions }) =>
    partitions.map((said): Instance => {
      const known = first.stages.find((one) => one.stage === stage)?.partitions;
      return {
        ...said,
        name: `${stage} ${said.partition}`,
        before: known?.find((one) => one.partition === said.partition),
      };
    }),
  );
  const troubles = [
    ...worst(instances, (one) => (one.state === 'running' ? 0 : 1)).map(downFinding),
    ...worst(instances, ({ state, restarts, before }) =>
      state === 'running' ? restarts - (before?.restarts ?? restarts) : 0,
    ).map(restartsFinding),
    ...worst(instances, ({ state, lag_seconds: lag = 0 }) =>
      state === 'running' && lag > LAG_SECONDS_MAX ? lag : 0,
    ).map((one) => lagFinding(one, seconds, load)),
    ...eventFindings(first.counters, second.counters),
  ];
  if (troubles.length > 0) return troubles;
  return [ok(`all ${instances.length} instances of ${second.stages.length} stages run, and none is behind`)];
}

const DOWN: Readonly<Record<InstanceStatus['state'], string>> = {
  running: 'runs',
  restoring: 'restores its state',
  backoff: 'waits to be started again',
  stopped: 'is stopped',
  failed: 'has failed',
};

function downFinding({ name, state, last_error: error }: Instance): Finding {
  if (state === 'restoring') return warning(`${name} ${DOWN.restoring}`, 'nothing: it goes on by itself');
  const why = error === undefined ? '' : `: ${shortened(harmless(error), ERROR_CHARACTERS_MAX)}`;
  return broken(
    `${name} ${DOWN[state]}${why}`,
    'see the log of the node; nothing is lost, it goes on from its last snapshot',
  );
}

function restartsFinding({ name, restarts, last_error: error = 'no error' }: Instance): Finding {
  return broken(
    `${name} restarts again and again (${restarts} times so far): ${shortened(harmless(error), ERROR_CHARACTERS_MAX)}`,
    'see the log of the node; what cannot be digested goes to the dead letters after some tries',
  );
}

function lagFinding(instance: Instance, seconds: number, load: Load): Finding {
  const { name, lag_messages: messages, lag_seconds: lag = 0, before } = instance;
  const behind =
    messages === undefined ? duration(lag * 1000) : `${grouped(messages)} messages (${duration(lag * 1000)})`;
  const text = `${name} is ${behind} behind`;
  if (before === undefined) return warning(text, 'ask again in a moment');
  const rate = (instance.messages_in - before.messages_in) / seconds;
  const busy = (instance.busy_seconds - before.busy_seconds) / seconds;
  if (rate === 0) {
    return broken(
      `${text}: it takes nothing in`,
      'it waits for NATS to store what it says: see the streams above, and the log of the node',
    );
  }
  const pace = `it takes in ${grouped(Math.max(1, rate))} messages/s`;
  const change = (messages ?? 0) - (before.lag_messages ?? 0);
  if (change < 0) return warning(`${text}: ${pace}, and catches up`, 'nothing: it is there in a while');
  if (isOverloaded(load)) {
    return warning(
      `${text}: ${pace}, on a machine whose load is ${load.average.toFixed(1)} with ${load.cores} cores`,
      'end what else runs there, or use a larger machine',
    );
  }
  if (busy > BUSY_SHARE) {
    return warning(
      `${text}: ${pace}, and has no time for more`,
      'more nodes, or more partitions: see rivulet repartition',
    );
  }
  return warning(
    `${text}: ${pace}`,
    'more --threads, a faster disk, or a NATS that is nearer: it waits more than it works',
  );
}

function eventFindings(first: StatusResponse['counters'], second: StatusResponse['counters']): Finding[] {
  const [refused, late] = [second.dead_letter - first.dead_letter, second.late - first.late];
  const findings: Finding[] = [];
  if (refused > 0) {
    const of =
      second.events > first.events ? ` of the last ${grouped(second.events - first.events)} events` : ' events';
    findings.push(
      warning(
        `dead letters rise: ${grouped(refused)}${of} were refused, ${grouped(second.dead_letter)} in all`,
        'see which, and why: rivulet dlq ls',
      ),
    );
  }
  const share = second.late / Math.max(1, second.events);
  if (late > 0 && second.events >= EVENTS_LEAST && share > LATE_SHARE) {
    findings.push(
      warning(
        `${(share * 100).toFixed(0)} % of the events were late: their windows were closed when they came`,
        'see whether a publisher lags; or raise pipeline.watermarkDelaySeconds',
      ),
    );
  }
  return findings;
}

/** Those above 0, highest first. */
function worst(instances: readonly Instance[], badness: (instance: Instance) => number): Instance[] {
  return instances
    .filter((one) => badness(one) > 0)
    .sort((a, b) => badness(b) - badness(a))
    .slice(0, TOLD_MAX);
}
