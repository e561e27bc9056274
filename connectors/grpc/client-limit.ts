/**
 * How many calls (or streams) of one client may be under way at once.
 *
 * Bounded: a client is remembered only while it has calls.
 */
import type { Caller } from './callers.js';

export class ClientLimit {
  private readonly underWay = new Map<string, number>();
  private total = 0;

  constructor(
    readonly callsMax: number,
    private readonly clientOf: (call: Caller) => string,
  ) {}

  /** Whether the client may start another call. Costs a look at the client only when somebody could be at the limit. */
  admits(call: Caller): boolean {
    if (this.total < this.callsMax) return true;
    return (this.underWay.get(this.clientOf(call)) ?? 0) < this.callsMax;
  }

  /** Counts a call, until the function it returns is called. */
  enter(call: Caller): () => void {
    const client = this.clientOf(call);
    this.add(client, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.add(client, -1);
    };
  }

  get clients(): number {
    return this.underWay.size;
  }

  private add(client: string, calls: number): void {
    const now = (this.underWay.get(client) ?? 0) + calls;
    if (now === 0) this.underWay.delete(client);
    else this.underWay.set(client, now);
    this.total += calls;
  }
}
