/** A node's own entry among the nodes: renewed, and found out to be another process's when a data directory was copied. */
import { bytesOf, nodesIn, type Presence } from './cluster-entries.js';
import { fatal, RivuletError } from './errors.js';
import type { KeyValue } from './ports.js';

export class PresenceEntry {
  private revision: number | undefined;
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
  async say(presence: Presence): Promise<boolean> {
    const bytes = bytesOf(presence);
    const { revision } = this;
    if (revision !== undefined) {
      const renewed = await unlessFenced(() => this.nodes.put(this.node, bytes, revision));
      if (renewed !== undefined) {
        this.revision = renewed;
        return this.hadEnded();
      }
      const entry = await this.nodes.get(this.node);
      const other = entry === undefined ? undefined : nodesIn([entry])[0]!;
      if (other !== undefined && other.process !== presence.process && other.startedAtMs < presence.startedAtMs) {
        throw fatal('NODE_TWICE', `another process runs as node ${this.node}: ${other.name}`, {
          hint: 'a data directory was copied from a node that runs; give this one an empty --data-dir',
        });
      }
      this.ended ||= entry === undefined;
    }
    // What an earlier process of this node has left is overwritten; what a younger one says, too: it will find us.
    this.revision = await this.nodes.put(this.node, bytes);
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

/** `undefined` when somebody else was faster, or nobody knows. */
export async function unlessFenced<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RivuletError && (error.code === 'FENCED' || error.code === 'LOG_UNKNOWN')) return undefined;
    throw error;
  }
}
