/**
 * Limits how fast a client may start calls: a token bucket per client, of size `burst`, filled with `perSecond`.
 *
 * Bounded: beyond CLIENTS_MAX the client that has been silent longest is forgotten. Its bucket is full by then, or nearly.
 */
import type { Clock } from '../../../runtime/contract/ports.js';

export const CLIENTS_MAX = 10_000;

interface Bucket {
  left: number;
  atMs: number;
}

export class RateLimit {
  /** In the order of their last calls. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    readonly perSecond: number,
    private readonly burst: number,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {}

  /** Takes one call and returns 0; or takes none and returns the ms until one is available. */
  take(client: string): number {
    const bucket = this.filled(client);
    if (bucket.left < 1) return Math.ceil(((1 - bucket.left) / this.perSecond) * 1000);
    bucket.left--;
    return 0;
  }

  get clients(): number {
    return this.buckets.size;
  }

  private filled(client: string): Bucket {
    const now = this.clock.monotonicMs();
    const known = this.buckets.get(client);
    const bucket = known ?? { left: this.burst, atMs: now };
    if (known === undefined) this.makeRoom();
    else this.buckets.delete(client);
    this.buckets.set(client, bucket);
    const passedMs = now - bucket.atMs;
    bucket.left = Math.min(this.burst, bucket.left + (passedMs / 1000) * this.perSecond);
    bucket.atMs = now;
    return bucket;
  }

  private makeRoom(): void {
    if (this.buckets.size < CLIENTS_MAX) return;
    const [oldest] = this.buckets.keys();
    this.buckets.delete(oldest!);
  }
}
