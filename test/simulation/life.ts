/** Starts an incarnation of an instance: a real supervisor with its actors, on a connection and a disk that fail. */
import type { ActorTuning } from '../../runtime/actor/options.js';
import { explain } from '../../runtime/contract/errors.js';
import type { Logger } from '../../runtime/contract/ports.js';
import { newStatus } from '../../runtime/telemetry/status.js';
import { hasPublishers } from '../../runtime/contract/streams.js';
import { SupervisedInstance } from '../../runtime/shards/supervised-instance.js';
import { Supervisor } from '../../runtime/supervision/supervisor.js';
import { Ticker } from '../../runtime/shards/ticker.js';
import { FailingStore, type WriteFate } from '../../state/failing-store.js';
import { TUNING, SILENT } from '../runtime/tuning.js';
import { clockOf, type Life, type SimulatedShard } from './shard.js';
import type { World } from './world.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function startLife(world: World, shard: SimulatedShard, id: string): Life {
  const { job, schedule, options } = world;
  const { topology, tickEveryMs } = job;
  const { partition } = shard.shard;
  const name = `${id}.${partition}#${shard.generation}`;
  const life = { name, stage: id, gone: false, failure: undefined, asleepUntilStep: 0 } as unknown as Mutable<Life>;
  const clock = clockOf(schedule, shard.node, life);
  life.log = world.connection(name, life, options.wrapLog?.(world.server.log));
  const pause = async (): Promise<void> => {
    await schedule.turn(`${name} pauses`, life);
    if (life.gone) await new Promise(() => undefined);
  };
  life.store = new FailingStore(options.wrapStore?.(shard.disk, pause) ?? shard.disk, {
    turn: async () => {
      const turns = schedule.chance(world.calm ? 0 : world.faults.write.slow) ? 6 : 1;
      for (let i = 0; i < turns; i++) await schedule.turn(`${name} disk`, life);
    },
    fate: () => writeFate(world),
  });
  life.status = newStatus(id, partition);
  const logger = loggerOf(world, name);
  const copied = world.copiedOf(shard, id);
  if (hasPublishers(topology, id) && tickEveryMs > 0 && !world.drains) {
    const { log, status } = life;
    const emitted = (): number => status.rowsOut;
    life.ticker = new Ticker({
      log,
      clock,
      logger: SILENT,
      stage: id,
      partition,
      everyMs: tickEveryMs,
      status,
      emitted,
    });
    void startTicker(world, life);
  }
  schedule.note(() => `${name} starts on ${shard.node.name}`);
  const onEscalated = (error: Error): void => {
    schedule.note(() => `${name} escalates: ${explain(error)}`);
    life.failure = error;
  };
  life.supervisor = new SupervisedInstance(new Supervisor({ clock, logger, onEscalated }), {
    ...{ topology, stage: topology.stage(id), partition, log: life.log, store: life.store, clock, logger },
    ...{ status: life.status, tuning: tuningOf(world), strategy: topology.strategy(id) },
    ...(copied === undefined ? {} : { copied }),
  });
  return life;
}

function writeFate({ calm, schedule, faults }: World): WriteFate {
  if (calm) return 'done';
  if (schedule.chance(faults.write.refused)) return 'refused';
  return schedule.chance(faults.write.unsaid) ? 'unsaid' : 'done';
}

function tuningOf({ schedule, options }: World): ActorTuning {
  return {
    ...TUNING,
    frameMessages: 1 + schedule.below(6),
    frameEveryMs: schedule.chance(0.3) ? 20 : 0,
    snapshotEveryMs: schedule.chance(0.5) ? 200 : 50,
    ...options.tuning,
  };
}

const loggerOf = ({ schedule, options }: World, name: string): Logger =>
  options.trace === undefined
    ? SILENT
    : {
        ...SILENT,
        warn: (fields, message) => {
          const { err } = fields as { err?: Error };
          schedule.note(() => `${name}: ${message}${err === undefined ? '' : ` (${explain(err)})`}`);
        },
      };

/** Ticks that refill a mailbox before its reader has looked at it would hide that it was cut back. */
async function startTicker({ schedule }: World, life: Life): Promise<void> {
  while (life.status.state === 'restoring' && !life.gone) await schedule.turn(`${life.name} clock waits`, life);
  await life.ticker?.run();
}
