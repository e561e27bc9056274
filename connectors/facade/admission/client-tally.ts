/** Amounts by client; one is remembered only while it has any. */
export class ClientTally {
  private readonly amounts = new Map<string, number>();
  /** Of all clients: to look at it alone costs less than to look for one. */
  total = 0;

  of(client: string): number {
    return this.amounts.get(client) ?? 0;
  }

  add(client: string, amount: number): void {
    const now = this.of(client) + amount;
    if (now === 0) this.amounts.delete(client);
    else this.amounts.set(client, now);
    this.total += amount;
  }

  get clients(): number {
    return this.amounts.size;
  }
}
