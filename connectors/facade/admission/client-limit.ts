/**
 * Limits how many calls (or streams) of one client may be under way at once.
 *
 * Bounded: a client is remembered only while it has calls.
 */
import { ClientTally } from './client-tally.js';

/** `C`: the part of a call that identifies its client. */
export class ClientLimit<C> {
  private readonly underWay = new ClientTally();

  constructor(
    readonly callsMax: number,
    private readonly clientOf: (call: C) => string,
  ) {}

  /** Whether the client may start another call. The client is looked up only when some client could be at the limit. */
  admits(call: C): boolean {
    return this.underWay.total < this.callsMax || this.underWay.of(this.clientOf(call)) < this.callsMax;
  }

  /** Counts a call until the returned function is called. */
  enter(call: C): () => void {
    const client = this.clientOf(call);
    this.underWay.add(client, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.underWay.add(client, -1);
    };
  }

  get clients(): number {
    return this.underWay.clients;
  }
}
