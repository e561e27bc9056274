/**
 * A node's own entries: its leases, and its membership entry, which it renews. A foreign process in that entry shows that the data directory was copied.
 */
import { bytesOf, nodesIn, type Membership } from './entries.js';
import { fatal, RivuletError } from '../contract/errors.js';
import type { KeyValue } from '../contract/ports.js';

/** A write of a dead process may arrive once; a running process goes on writing. */
const CONTESTED_MAX = 3;

export class MembershipEntry {
  private revision: number | undefined;
  /** How often in a row an older process had written over it. */
  private contested = 0;
  /** Not reported yet. */
  private ended = false;

  constructor(
    private readonly nodes: KeyValue,
    private readonly node: string,
  ) {}

  /**
   * Returns whether the entry had expired: then this node was disconnected for a lease. Fatal NODE_TWICE when an older process runs as the same
   * node.
   */
  async announce(presence: Membership): Promise<boolean> {
    const { revision } = this;
    if (revision !== undefined) {
      const renewed = await unlessFenced(() => this.nodes.put(this.node, bytesOf(presence), revision));
      if (renewed !== undefined) {
        this.revision = renewed;
        this.contested = 0;
        return this.hadEnded();
      }
      const entry = await this.nodes.get(this.node);
      const other = entry === undefined ? undefined : nodesIn([entry])[0];
      const isOlder = other?.process !== presence.process && (other?.startedAtMs ?? Infinity) < presence.startedAtMs;
      this.contested = isOlder ? this.contested + 1 : 0;
      if (other !== undefined && this.contested >= CONTESTED_MAX) {
        throw fatal('NODE_TWICE', `another process runs as node ${this.node}: ${other.name}`, {
          hint: 'a data directory was copied from a node that runs; give this one an empty --data-dir',
        });
      }
      this.ended ||= entry === undefined;
    }
    // Overwrites the entry of an earlier process of this node, and of a younger one, which will then detect this one.
    // Nothing is handed over to a node that was disconnected: it waits (CLUSTER-5), and would not take it.
    this.revision = await this.nodes.put(this.node, bytesOf(this.ended ? { ...presence, standbyOf: [] } : presence));
    return this.hadEnded();
  }

  leave(): Promise<void> {
    return this.nodes.delete(this.node, this.revision);
  }

  private hadEnded(): boolean {
    const { ended } = this;
    this.ended = false;
    return ended;
  }
}

/** Each returns `undefined` when another node was faster, or the outcome is unknown. */
export class OwnLeases {
  constructor(
    private readonly leases: KeyValue,
    private readonly node: string,
  ) {}

  /** Acquires or renews; returns the new revision. */
  put(shard: string, revision: number): Promise<number | undefined> {
    return unlessFenced(() => this.leases.put(shard, bytesOf({ node: this.node }), revision));
  }

  async renew(shard: string, own: { revision: number }, revision = own.revision): Promise<void> {
    own.revision = (await this.put(shard, revision)) ?? own.revision;
  }

  end(shard: string, revision: number): Promise<void | undefined> {
    return unlessFenced(() => this.leases.delete(shard, revision));
  }
}

/** `undefined` when another node was faster, or the outcome is unknown. */
export async function unlessFenced<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RivuletError && (error.code === 'FENCED' || error.code === 'LOG_UNKNOWN')) return undefined;
    throw error;
  }
}
