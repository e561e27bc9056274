/**
 * Fair access to work that must not take the whole machine: a limited number at a time; the owners of waiting work take turns, however much each has
 * requested.
 *
 * Bounded: one owner may take only its share of the waiting places, and leaves room for others.
 */
export class FairQueue {
  /** By owner, the next one first. */
  private readonly waiting = new Map<object, (() => void)[]>();
  private running = 0;

  constructor(
    private readonly atOnce: number,
    private readonly waitingMax: number,
  ) {}

  /** `undefined`: too much work of this owner is waiting. */
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
