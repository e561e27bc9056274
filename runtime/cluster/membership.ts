/**
 * A node's own entries: its leases, and the one among the nodes, which is renewed, and found out to be another process's when a data directory was
 * copied.
 */
import { bytesOf, nodesIn, type Membership } from './entries.js';
import { fatal, RivuletError } from '../contract/errors.js';
import type { KeyValue } from '../contract/ports.js';

/** What a process that has died still had under way may arrive once; one that runs goes on. */
const CONTESTED_MAX = 3;

export class MembershipEntry {
  private revision: number | undefined;
  /** How often in a row an older process had written over it. */
  private contested = 0;
  /** Not told yet. */
  private ended = false;

  constructor(
    private readonly nodes: KeyValue,
    private readonly node: string,
  ) {}

  /**
   * Whether the entry had ended meanwhile: then nobody has heard of this node for a lease, nor this node of the others. Fatal NODE_TWICE when a
   * process that is older than this one says that it is this node.
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
    // What an earlier process of this node has left is overwritten; what a younger one says, too: it will find us.
    // Nothing is handed over to who has been away: it rests, and would leave it lying.
    this.revision = await this.nodes.put(this.node, bytesOf(this.ended ? { ...presence, warm: [] } : presence));
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

/** Each gives `undefined` when somebody else was faster, or nobody knows. */
export class OwnLeases {
  constructor(
    private readonly leases: KeyValue,
    private readonly node: string,
  ) {}

  /** Takes or renews; gives the new revision. */
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

/** `undefined` when somebody else was faster, or nobody knows. */
export async function unlessFenced<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RivuletError && (error.code === 'FENCED' || error.code === 'LOG_UNKNOWN')) return undefined;
    throw error;
  }
}
