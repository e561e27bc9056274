/** Calls back for things that are not done within a time limit from their start: one timer for all of them. */
export class Overdue<T extends object> {
  /** In the order of their starts. */
  private readonly waiting = new Map<T, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly msMax: number,
    private readonly onOverdue: (thing: T) => void,
  ) {}

  /** Something that has begun already keeps its start time. */
  begin(thing: T): void {
    if (!this.waiting.has(thing)) this.waiting.set(thing, performance.now());
    this.timer ??= this.scheduleCheck(this.msMax);
  }

  end(thing: T): void {
    this.waiting.delete(thing);
  }

  private scheduleCheck(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.timer = undefined;
      const nowMs = performance.now();
      for (const [thing, beganMs] of this.waiting) {
        const leftMs = beganMs + this.msMax - nowMs;
        if (leftMs > 0) {
          this.timer = this.scheduleCheck(leftMs);
          return;
        }
        this.waiting.delete(thing);
        this.onOverdue(thing);
      }
    }, ms).unref();
  }
}
