/** Who goes next: operations wait for their turn, and one of them goes on per step, drawn from the seed; or time passes. */
import { VirtualClock } from '../runtime/virtual-clock.js';

/** Who waits. One that is asleep does not get a turn. */
export interface Party {
  asleepUntilStep: number;
}

interface Turn {
  readonly party: Party | undefined;
  readonly what: string;
  readonly go: () => void;
}

/** How often time passes although somebody could go on. */
const TIME_PASSES = 0.05;

export class Schedule {
  readonly clock = new VirtualClock();
  step = 0;
  private waiting: Turn[] = [];

  constructor(
    readonly random: () => number,
    private readonly trace?: (line: string) => void,
  ) {}

  chance(rate: number): boolean {
    return rate > 0 && this.random() < rate;
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  note(line: () => string): void {
    this.trace?.(`${String(this.step).padStart(5)}  ${line()}`);
  }

  /** Resolves when it is its turn. */
  turn(what: string, party?: Party): Promise<void> {
    return new Promise((go) => this.waiting.push({ party, what, go }));
  }

  get idle(): boolean {
    return this.waiting.length === 0;
  }

  /** One operation goes on, or time passes. */
  goOn(): void {
    this.step++;
    const at = this.idle || this.chance(TIME_PASSES) ? -1 : this.awake(this.below(this.waiting.length));
    if (at < 0) {
      if (this.clock.wakeNext()) this.note(() => `time is ${this.clock.nowMs()}`);
      return;
    }
    const turn = this.waiting[at]!;
    const last = this.waiting.pop()!;
    if (last !== turn) this.waiting[at] = last;
    this.note(() => turn.what);
    turn.go();
  }

  /** The first that is awake, from a place on; -1 when all sleep. */
  private awake(from: number): number {
    for (let i = 0; i < this.waiting.length; i++) {
      const at = (from + i) % this.waiting.length;
      const { party } = this.waiting[at]!;
      if (party === undefined || party.asleepUntilStep <= this.step) return at;
    }
    return -1;
  }
}
