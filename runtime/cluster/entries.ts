/** What nodes tell each other through the key-value buckets: who is there, who owns which unit, who takes a backup. */
import { textOf, utf8 } from '../frames/bytes.js';
import type { KeyValue, KeyValueEntry } from '../contract/ports.js';

/** Key in the nodes' bucket, next to the nodes themselves: while it is there, nothing is trimmed that a backup may need. */
export const HOLD_KEY = 'hold';

/** Of one node; kept alive by renewing it. */
export interface Presence {
  /** For people: the host's name. */
  readonly name: string;
  /** Of this process: a node that comes back is the same node and another process. */
  readonly process: string;
  readonly startedAtMs: number;
  /** Where its façade listens. */
  readonly grpc: string | undefined;
  /** Units whose state it has as far as the newest copy, and would take. */
  readonly warm: readonly string[];
  /** It is about to leave. */
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

export interface NodeEntry extends Presence {
  readonly id: string;
}

export const bytesOf = (entry: Presence | Lease | Hold): Uint8Array => utf8(JSON.stringify(entry));

const parsed = <T>({ value }: KeyValueEntry): T => JSON.parse(textOf(value)) as T;

export const nodesIn = (entries: readonly KeyValueEntry[]): NodeEntry[] =>
  entries.filter(({ key }) => key !== HOLD_KEY).map((entry) => ({ ...parsed<Presence>(entry), id: entry.key }));

export function holdIn(entries: readonly KeyValueEntry[]): string | undefined {
  const entry = entries.find(({ key }) => key === HOLD_KEY);
  return entry === undefined ? undefined : parsed<Hold>(entry).token;
}

export interface LeaseEntry extends Lease {
  readonly revision: number;
}

/** Unit → who owns it. */
export const leasesIn = (entries: readonly KeyValueEntry[]): Map<string, LeaseEntry> =>
  new Map(entries.map((entry) => [entry.key, { node: parsed<Lease>(entry).node, revision: entry.revision }]));

/** Tells of what is new, and not of what is only renewed; gives the function that ends it. */
export function onNews(table: KeyValue, tell: () => void): Promise<() => Promise<void>> {
  const known = new Map<string, string>();
  return table.watch((key, value) => {
    const text = value === undefined ? undefined : textOf(value);
    if (text !== undefined && known.get(key) === text) return;
    if (text === undefined) known.delete(key);
    else known.set(key, text);
    tell();
  });
}
