/** What nodes share in the key-value buckets: which nodes run, which owns which shard, and whether a backup is running. */
import { textOf, utf8 } from '../frames/bytes.js';
import type { KeyValue, KeyValueEntry, KeyValueView, Logger } from '../contract/ports.js';
import { type Check, hasFields, isFlag, isListOf, isText, optional, storedJson } from '../contract/stored-json.js';

/** Names of the buckets. */
export const NODES = 'RIVULET_NODES';
export const LEASES = 'RIVULET_LEASES';

/** Key in the nodes' bucket, next to the nodes themselves: while it is there, nothing is trimmed that a backup may need. */
export const HOLD_KEY = 'hold';

/** Of one node; kept alive by renewing it. */
export interface Membership {
  /** For people: the host's name. */
  readonly name: string;
  /** Of this process: a node that comes back is the same node and another process. */
  readonly process: string;
  readonly startedAtMs: number;
  /** Where its façade listens. */
  readonly grpc: string | undefined;
  /** Shards whose state it has as far as the newest copy, and would take. */
  readonly standbyOf: readonly string[];
  /** It is stopping. */
  readonly draining: boolean;
  /** The backup that it holds still for. */
  readonly hold: string | undefined;
  /** What all nodes must have in common. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
}

export interface Lease {
  readonly node: string;
}

export interface Hold {
  readonly token: string;
}

export interface NodeEntry extends Membership {
  readonly id: string;
}

export const bytesOf = (entry: Membership | Lease | Hold): Uint8Array => utf8(JSON.stringify(entry));

const isPresence = hasFields({
  ...{ name: isText, process: isText, startedAtMs: Number.isFinite, standbyOf: isListOf(isText) },
  ...{ draining: isFlag, grpc: optional(isText), hold: optional(isText) },
  settings: optional(hasFields({})),
});
const isLease = hasFields({ node: isText });
const isHold = hasFields({ token: isText });

const presenceIn = ({ value }: KeyValueEntry): Membership | undefined => storedJson(value, isPresence);

/** An entry that cannot be read counts as expired. */
export const nodesIn = (entries: readonly KeyValueEntry[]): NodeEntry[] =>
  entries.flatMap((entry) => {
    const presence = entry.key === HOLD_KEY ? undefined : presenceIn(entry);
    return presence === undefined ? [] : [{ ...presence, id: entry.key }];
  });

export function holdIn(entries: readonly KeyValueEntry[]): string | undefined {
  const entry = entries.find(({ key }) => key === HOLD_KEY);
  return entry === undefined ? undefined : storedJson<Hold>(entry.value, isHold)?.token;
}

export interface LeaseEntry {
  /** Absent: the entry cannot be read, and has no owner. */
  readonly node: string | undefined;
  readonly revision: number;
}

/** Shard → who owns it. */
export const leasesIn = (entries: readonly KeyValueEntry[]): Map<string, LeaseEntry> =>
  new Map(
    entries.map(({ key, value, revision }) => [key, { node: storedJson<Lease>(value, isLease)?.node, revision }]),
  );

const CHECKS: Readonly<Record<string, (key: string) => Check>> = {
  [NODES]: (key) => (key === HOLD_KEY ? isHold : isPresence),
  [LEASES]: () => isLease,
};

/** Foreign entries in one of the two buckets. */
export const unreadableIn = (bucket: string, entries: readonly KeyValueEntry[]): KeyValueEntry[] =>
  entries.filter(({ key, value }) => storedJson(value, CHECKS[bucket]!(key)) === undefined);

/** Reads both buckets from the local copy. A foreign entry is reported once. */
export class ClusterReader {
  private reported = new Set<string>();

  constructor(
    private readonly nodes: KeyValueView,
    private readonly leases: KeyValueView,
    private readonly logger: Logger,
  ) {}

  async stop(): Promise<void> {
    await this.nodes.stop();
    await this.leases.stop();
  }

  async read(): Promise<{
    readonly members: NodeEntry[];
    readonly hold: string | undefined;
    readonly taken: Map<string, LeaseEntry>;
  }> {
    const nodes = await this.nodes.entries();
    const leases = await this.leases.entries();
    const unreadable = [...this.report(NODES, nodes), ...this.report(LEASES, leases)];
    this.reported = new Set(unreadable);
    return { members: nodesIn(nodes), hold: holdIn(nodes), taken: leasesIn(leases) };
  }

  private report(bucket: string, entries: readonly KeyValueEntry[]): string[] {
    return unreadableIn(bucket, entries).map(({ key, revision }) => {
      const name = `${bucket}/${key}/${revision}`;
      if (!this.reported.has(name)) {
        this.logger.warn({ bucket, key, revision }, 'an entry was not written by rivulet: it counts as none');
      }
      return name;
    });
  }
}

/** Reports new entries, not renewals. */
export function onNews(table: KeyValue, tell: () => void): Promise<KeyValueView> {
  const known = new Map<string, string>();
  return table.watch((key, value) => {
    const text = value === undefined ? undefined : textOf(value);
    if (text !== undefined && known.get(key) === text) return;
    if (text === undefined) known.delete(key);
    else known.set(key, text);
    tell();
  });
}
