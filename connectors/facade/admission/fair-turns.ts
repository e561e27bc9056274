/**
 * Turns at work that must not take the whole machine: so many at a time, and of those who wait each has its turn after the others, whatever
 * they have asked for.
 *
 * Bounded: one who asks for much may have its share of the places waiting, and leaves room for others.
 */
export class FairTurns {
  /** By who waits, the next one first. */
  private readonly waiting = new Map<object, (() => void)[]>();
  private running = 0;

  constructor(
    private readonly atOnce: number,
    private readonly waitingMax: number,
  ) {}

  /** `undefined`: the owner has too much waiting. */
  run<T>(owner: object, work: () => Promise<T>): Promise<T> | undefined {
    if (this.running < this.atOnce) return this.start(work);
    const own = this.waiting.get(owner) ?? [];
    const owners = this.waiting.size + (own.length === 0 ? 1 : 0);
    if (own.length >= Math.max(1, this.waitingMax / owners)) return undefined;
    this.waiting.set(owner, own);
    return new Promise((resolve, reject) => own.push(() => void this.start(work).then(resolve, reject)));
  }

  private async start<T>(work: () => Promise<T>): Promise<T> {
    this.running++;
    try {
      return await work();
    } finally {
      this.running--;
      this.next();
    }
  }

  private next(): void {
    const [first] = this.waiting;
    if (first === undefined) return;
    const [owner, [go, ...others]] = first;
    this.waiting.delete(owner);
    if (others.length > 0) this.waiting.set(owner, others);
    go!();
  }
}
