/** Amounts per client; a client is remembered only while its amount is above 0. */
export class ClientTally {
  private readonly amounts = new Map<string, number>();
  /** Of all clients: cheaper to check than one client. */
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
