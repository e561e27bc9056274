/**
 * How many calls of one client may be under way at once. A client is an address, whatever its connections: a proxy in front counts as one.
 *
 * Bounded: an address is remembered only while it has calls.
 */
export class ClientLimit {
  private readonly underWay = new Map<string, number>();
  private total = 0;

  constructor(readonly callsMax: number) {}

  /** Whether the client may start another call. Costs a look at the address only when somebody could be at the limit. */
  admits(call: { getPeer(): string }): boolean {
    if (this.total < this.callsMax) return true;
    return (this.underWay.get(addressOf(call.getPeer())) ?? 0) < this.callsMax;
  }

  /** Counts a call, until the function it returns is called. */
  enter(call: { getPeer(): string }): () => void {
    const address = addressOf(call.getPeer());
    this.add(address, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.add(address, -1);
    };
  }

  get clients(): number {
    return this.underWay.size;
  }

  private add(address: string, calls: number): void {
    const now = (this.underWay.get(address) ?? 0) + calls;
    if (now === 0) this.underWay.delete(address);
    else this.underWay.set(address, now);
    this.total += calls;
  }
}

/** `192.0.2.1:4711` and `::1:4711` (as grpc-js prints them) without the port. */
function addressOf(peer: string): string {
  const colon = peer.lastIndexOf(':');
  return colon < 0 ? peer : peer.slice(0, colon);
}
