/** What the live benchmarks share: a node that can be killed, and a state of many users to put into it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { NodeReport } from './live-node.js';
import { DIST, round, say } from './machine.js';

const CATEGORIES = ['electronics.audio', 'appliances.kitchen', 'apparel.shoes', 'computers.notebook', 'kids.toys'];
const ITEMS = 5_000;
const EVENTS_PER_MESSAGE = 500;
const MESSAGES_IN_FLIGHT = 16;
/** The users came one after the other over this time, which ended when no window of theirs is open any more. */
const FILLED_OVER_MS = 24 * 3_600_000;
const FILLED_UNTIL_MS = 3_600_000;
/** With lists of 100 items a million users are 10 GB on their way through the streams: ten fill in minutes. As many keys, smaller ones. */
export const FILLED_NODE = { RIVULET_PIPELINE_LIST_SIZE: '10', RIVULET_STREAM_MEGABYTES_MAX: '2048' };
const QUIET_REPORTS = 3;
/** Ticks go on when all else is quiet. */
const TICKS_WAITING = 50;
const FULL_WAIT_MS = 200;

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export class BenchNode {
  last: NodeReport | undefined;
  private onReport: ((report: NodeReport) => void) | undefined;
  private onEnd: ((error: Error) => void) | undefined;

  private constructor(readonly process: ChildProcess) {
    createInterface({ input: process.stdout! }).on('line', (line) => {
      this.last = JSON.parse(line) as NodeReport;
      this.onReport?.(this.last);
    });
    process.on('exit', () => this.onEnd?.(new Error('the node has ended')));
  }

  static start(env: Readonly<Record<string, string>>): BenchNode {
    const child = spawn(process.execPath, [join(DIST, 'test/bench/live-node.js')], {
      env: { ...process.env, ...FILLED_NODE, RIVULET_HTTP_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return new BenchNode(child);
  }

  async next(): Promise<NodeReport> {
    return new Promise((resolve, reject) => {
      this.onReport = resolve;
      this.onEnd = reject;
    });
  }

  /** All that was published is in, has gone through all stages, and is in snapshots. */
  async settled(events: number): Promise<void> {
    let rows = -1;
    for (let quiet = 0; quiet < QUIET_REPORTS;) {
      const report = await this.next();
      const isQuiet = report.events >= events && report.waiting < TICKS_WAITING && report.rowsOut === rows;
      quiet = isQuiet ? quiet + 1 : 0;
      rows = report.rowsOut;
    }
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
  }
}

/** The n-th of some users out of all: a Weyl sequence, spread over them, the same in every run. */
export const spreadUser = (n: number, users: number): number => Math.floor(((n * 0.618033988749895) % 1) * users);

export const userName = (n: number): string => `user-${n}`;

/** An event of a user who may be one of many. */
export function eventOf(id: string, user: number, n: number, timeMs: number): string {
  const item = Math.floor(((n * 0.754877666246693) % 1) ** 2 * ITEMS);
  return JSON.stringify({
    event_id: id,
    event_type: n % 50 === 0 ? 'purchase' : n % 20 === 0 ? 'cart' : 'view',
    event_time: new Date(timeMs).toISOString(),
    user_id: userName(user),
    item_id: `item-${item}`,
    category_code: CATEGORIES[item % CATEGORIES.length],
    price: 10 + (item % 90),
  });
}

/** Publishes an event for each of `users` users, as JSON lines. */
export function publishUsers(connection: NatsConnection, users: number): Promise<void> {
  const untilMs = Date.now() - FILLED_UNTIL_MS;
  const fromMs = untilMs - FILLED_OVER_MS;
  return publishLines(connection, users, (n) => eventOf(`fill-${n}`, n, n, fromMs + FILLED_OVER_MS * (n / users)));
}

/** Publishes `count` events in messages of many, as fast as they are stored. */
export async function publishLines(
  connection: NatsConnection,
  count: number,
  event: (n: number) => string,
): Promise<void> {
  const log = jetstream(connection);
  let next = 0;
  const send = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + EVENTS_PER_MESSAGE);
      const lines: string[] = [];
      for (let n = from; n < next; n++) lines.push(event(n));
      // A full stream refuses: then the pipeline must catch up. The ids make a second try harmless.
      while (
        !(await log.publish('rivulet.events.view', lines.join('\n')).then(
          () => true,
          () => false,
        ))
      ) {
        await pause(FULL_WAIT_MS);
      }
    }
  };
  await Promise.all(Array.from({ length: MESSAGES_IN_FLIGHT }, send));
}

/** The same, and waits until the node has taken in and written all of them. */
export async function fill(node: BenchNode, users: number): Promise<void> {
  const startedMs = performance.now();
  const { natsUrl } = await node.next();
  const connection = await connect({ servers: natsUrl });
  await publishUsers(connection, users);
  await connection.close();
  await node.settled(users);
  say(`  ${users} users filled in, in ${round((performance.now() - startedMs) / 1000)} s`);
}
