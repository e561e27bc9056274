/** A sink that reads the topics of a bounded job, on a disk that fails, and is killed now and then. */
import { asError, explain } from '../../runtime/contract/errors.js';
import type { Log } from '../../runtime/contract/ports.js';
import { SinkRunner } from '../../runtime/jobs/sink-runner.js';
import { FailingStore } from '../../state/failing-store.js';
import { MemoryStore } from '../../state/memory-store.js';
import { SILENT } from '../runtime/tuning.js';
import type { FailingLog } from '../support/failing-log.js';
import { MemorySink } from '../support/memory-sink.js';
import type { World } from './world.js';

const SYNC_EVERY_MS = 50;

export class SimulatedSink {
  failure: Error | undefined;
  done = false;
  running = false;
  /** A dead process writes no more: each life has a file of its own, copied. */
  private sink = new MemorySink([]);
  private disk = new MemoryStore();
  private log: FailingLog | undefined;
  private store: FailingStore | undefined;
  private life = 0;

  constructor(private readonly world: World) {}

  get lines(): readonly string[] {
    return this.sink.lines;
  }

  start(): void {
    const { schedule, job } = this.world;
    const life = ++this.life;
    const turn = (): Promise<void> => schedule.turn(`sink#${life} file`);
    [this.failure, this.running, this.done] = [undefined, true, false];
    this.sink = new MemorySink([...this.sink.lines], turn);
    this.disk = new MemoryStore(this.disk.contents());
    const log = (this.log = this.world.connection(`sink#${life}`));
    const store = (this.store = new FailingStore(this.disk, { turn }));
    const options = { topology: job.topology, topics: job.sinkTopics, sink: this.sink, log, store };
    SinkRunner.open({ ...options, clock: schedule.clock, logger: SILENT, syncEveryMs: SYNC_EVERY_MS })
      .then((runner) => runner.run(new AbortController().signal))
      .then(
        () => {
          if (life === this.life) [this.done, this.running] = [true, false];
        },
        (error: unknown) => {
          schedule.note(() => `the sink fails: ${explain(error)}`);
          if (life === this.life) [this.failure, this.running] = [asError(error), false];
        },
      );
  }

  check(log: Log): Promise<void> {
    return SinkRunner.check({ log, store: this.disk, topics: this.world.job.sinkTopics });
  }

  cut(): void {
    this.life++;
    this.log?.cut(() => this.world.schedule.chance(0.5));
    this.store?.cut();
    this.running = false;
  }

  crash(): void {
    this.world.schedule.note(() => `sink#${this.life} dies`);
    this.restart();
  }

  restart(): void {
    this.cut();
    this.start();
  }
}
