/**
 * Bytes that clients have us keep: of messages that they have begun and not ended, and of answers that they have not taken.
 *
 * Bounded: a client is remembered only while it has some.
 */
export class HeldBytes {
  private readonly byClient = new Map<string, number>();
  private total = 0;

  constructor(readonly bytesMax: number) {}

  /** Whether the client has no more than it may. Costs a look at the client only when somebody could have. */
  admits(clientOf: () => string): boolean {
    return this.total <= this.bytesMax || (this.byClient.get(clientOf()) ?? 0) <= this.bytesMax;
  }

  add(client: string, bytes: number): void {
    const now = (this.byClient.get(client) ?? 0) + bytes;
    if (now === 0) this.byClient.delete(client);
    else this.byClient.set(client, now);
    this.total += bytes;
  }

  get clients(): number {
    return this.byClient.size;
  }
}
