/**
 * Trace contexts of events in one instance: a span for each event that it processes, and a context that goes on with the rows that result from it.
 *
 * Invariants
 *   TRACES-1  Only telemetry depends on them: rows, parts, output positions and state are the same with and without. They are in memory: a restart loses
 *             those that wait, and reports the spans of what it replays again.
 *   TRACES-2  Only sampled contexts are followed. An event without trace costs one check of its headers, or of an empty list.
 *   TRACES-3  A context goes with the next rows of its keys, to their partition: a window emits nothing for an event until the epoch ends. A stage that
 *             reads publishers' messages emits at once, or never. The context of a late event goes with the next rows of its user too: it cannot be
 *             distinguished from one whose window is still open. Messages to all partitions are about many events and have none, and neither have
 *             messages to a topic.
 *   TRACES-4  At most TRACES_MAX wait per destination, and travel with one message; the oldest go first.
 */
import { ROOT_CONTEXT, type Span, type SpanContext, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Trace } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fnv1aOf } from '../frames/bytes.js';
import { hashAt, textAt } from '../frames/dictionary.js';
import type { AnyColumn, Frame } from '../frames/frame.js';
import { subjectOf, type Topology } from '../contract/graph.js';
import { partitionOf } from '../state/rescaling.js';
import type { LogMessage } from '../contract/ports.js';
import { type AnyStage, type Emission, RAW } from '../contract/stage.js';
import { contextOf, isSampled, type TraceHeaders, traceHeaders } from '../telemetry/trace-context.js';

export type TraceFields = Pick<Trace, 'traceparent' | 'tracestate' | 'users' | 'items'>;
type Keys = Pick<TraceFields, 'users' | 'items'>;

const TRACES_MAX = 16;
/** Of each kind; ids have at most 256 bytes. */
const KEYS_MAX = 16;
/** Users whose latest context a view remembers, per partition. */
const USERS_MAX = 10_000;

export const NO_TRACES: readonly TraceFields[] = [];
const NOTHING: readonly never[] = [];
const tracer = trace.getTracer('rivulet');

/** An edge that contexts go along. */
interface Way {
  readonly by: keyof Keys | 'same';
  readonly subjects: readonly string[];
}

export class Traces {
  private readonly ways: readonly Way[];
  private readonly isRaw: boolean;
  private readonly waiting = new Map<string, TraceFields[]>();
  private spans: Span[] = [];
  /** Only of a view, which emits nothing: the latest context by input, of all and by user. */
  private readonly taken = new Map<string, { latest: TraceHeaders; readonly byUser: Map<string, TraceHeaders> }>();

  constructor(
    topology: Topology,
    private readonly stage: AnyStage,
    private readonly partition: number,
  ) {
    this.ways = waysOf(topology, stage.id, partition);
    this.isRaw = Object.values(stage.inputs).some(({ type }) => type === RAW);
  }

  /** Begins the spans of publishers' messages; `emissionsOf` returns the emissions of one alone, which show its keys. */
  takeRaw(messages: readonly LogMessage[], emissionsOf: (message: LogMessage) => readonly Emission[]): void {
    for (const { message, context } of sampledOf(messages)) {
      const span = this.begin(context, message);
      const { users, items } = keysOf(emissionsOf(message));
      if (users.length + items.length > 0) this.handOn({ ...traceHeaders(span.spanContext()), users, items });
    }
  }

  /** Begins the spans of a message of a stage or source. */
  take(traces: readonly TraceFields[], message: LogMessage, input: string): void {
    for (const { users, items, ...headers } of traces) {
      const context = contextOf(headers);
      if (context === undefined || !isSampled(context)) continue;
      const own = traceHeaders(this.begin(context, message).spanContext());
      if (this.ways.length > 0) this.handOn({ ...own, users, items });
      else this.remember(input, own, users);
    }
  }

  /** Before an input. */
  next(): void {
    if (this.isRaw && this.waiting.size > 0) this.waiting.clear();
  }

  waitFor(subject: string): boolean {
    return this.waiting.has(subject);
  }

  /** Which contexts go with which piece. Each goes with the last piece that has rows of its keys: its receiver has processed the others by then. */
  release(
    subject: string,
    pieces: readonly { readonly frame: Frame | undefined }[],
  ): ReadonlyMap<number, readonly TraceFields[]> {
    const found = new Map<number, TraceFields[]>();
    const hashes = pieces.map(({ frame }) => hashesOf(frame));
    const left = this.waiting.get(subject)!.filter((fields) => {
      const [users, items] = [fields.users.map(fnv1aOf), fields.items.map(fnv1aOf)];
      const bearer = hashes.findLastIndex(
        ({ user, item }) => users.some((hash) => user.has(hash)) || items.some((hash) => item.has(hash)),
      );
      if (bearer < 0) return true;
      const borne = found.get(bearer);
      if (borne === undefined) found.set(bearer, [fields]);
      else borne.push(fields);
      return false;
    });
    if (left.length === 0) this.waiting.delete(subject);
    else this.waiting.set(subject, left);
    return found;
  }

  /** The output is handed to the outbox, or the input has failed. */
  end(error?: Error): void {
    if (this.spans.length === 0) return;
    for (const span of this.spans) {
      if (error !== undefined) {
        span.recordException(error);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      }
      span.end();
    }
    this.spans = [];
  }

  /** The context of the latest traced event that a view has processed on an input, of all or of a user. */
  latest(input: string, user?: string): TraceHeaders | undefined {
    const taken = this.taken.get(input);
    return user === undefined ? taken?.latest : taken?.byUser.get(user);
  }

  private begin(context: SpanContext, { subject, sequence }: LogMessage): Span {
    const { id } = this.stage;
    const attributes = {
      'messaging.system': 'nats',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': subject,
      'messaging.destination.partition.id': String(this.partition),
      'messaging.message.id': String(sequence),
      'rivulet.stage': id,
    };
    const parent = trace.setSpanContext(ROOT_CONTEXT, context);
    const span = tracer.startSpan(`process ${id}`, { kind: SpanKind.CONSUMER, attributes }, parent);
    this.spans.push(span);
    return span;
  }

  private handOn(fields: TraceFields): void {
    for (const { by, subjects } of this.ways) {
      if (by === 'same') {
        this.wait(subjects[0]!, fields);
        continue;
      }
      for (const [q, keys] of groupedByPartition(fields[by], subjects.length)) {
        this.wait(subjects[q]!, { ...fields, users: [], items: [], [by]: keys });
      }
    }
  }

  private wait(subject: string, fields: TraceFields): void {
    const waiting = this.waiting.get(subject) ?? [];
    waiting.push(fields);
    if (waiting.length > TRACES_MAX) waiting.shift();
    this.waiting.set(subject, waiting);
  }

  private remember(input: string, own: TraceHeaders, users: readonly string[]): void {
    const taken = this.taken.get(input) ?? { latest: own, byUser: new Map<string, TraceHeaders>() };
    this.taken.set(input, taken);
    taken.latest = own;
    for (const user of users) {
      // Moves the user to the end: the first of the map is the least recent.
      taken.byUser.delete(user);
      taken.byUser.set(user, own);
    }
    for (const user of taken.byUser.keys()) {
      if (taken.byUser.size <= USERS_MAX) break;
      taken.byUser.delete(user);
    }
  }
}

function waysOf(topology: Topology, id: string, partition: number): Way[] {
  const ways = new Map<string, Way>();
  for (const { to, by, targets } of topology.routes(id)) {
    const stage = topology.stages.find((one) => one.id === to);
    if (stage === undefined) continue;
    if (by === 'same') ways.set(to, { by, subjects: [subjectOf(to, partition, id, partition)] });
    else if (stage.key === 'whole') ways.set(to, { by: 'same', subjects: [subjectOf(to, 0, id, partition)] });
    else if (by === 'user' || by === 'item') {
      const subjects = Array.from({ length: targets }, (_, q) => subjectOf(to, q, id, partition));
      ways.set(to, { by: `${by}s`, subjects });
    }
  }
  return [...ways.values()];
}

interface Traced {
  readonly message: LogMessage;
  readonly context: SpanContext;
}

/** The latest few of publishers' messages with a sampled trace, oldest first. */
function sampledOf(messages: readonly LogMessage[]): readonly Traced[] {
  let found: Traced[] | undefined;
  for (let i = messages.length - 1; i >= 0 && (found?.length ?? 0) < TRACES_MAX; i--) {
    const message = messages[i]!;
    const { traceparent, tracestate = '' } = message.headers;
    if (traceparent === undefined) continue;
    const context = contextOf({ traceparent, tracestate });
    if (context !== undefined && isSampled(context)) (found ??= []).push({ message, context });
  }
  return found?.reverse() ?? NOTHING;
}

/** Hashes of the texts in a frame's dictionaries; collisions are acceptable for telemetry. */
function hashesOf(frame: Frame | undefined): { readonly user: Set<number>; readonly item: Set<number> } {
  const columns = (frame?.rows ?? 0) === 0 ? {} : (frame!.columns as Readonly<Record<string, AnyColumn>>);
  const hashes = (column: AnyColumn | undefined): Set<number> => {
    const all = new Set<number>();
    if (column === undefined || !('codes' in column)) return all;
    for (let code = 1; code < column.dictionary.size; code++) all.add(hashAt(column.dictionary, code));
    return all;
  };
  return { user: hashes(columns['user']), item: hashes(columns['item']) };
}

/** As rows find their partitions (`partitionBy`). */
function groupedByPartition(keys: readonly string[], targets: number): Map<number, string[]> {
  const grouped = new Map<number, string[]>();
  for (const key of keys) {
    const q = partitionOf(key, targets);
    const group = grouped.get(q);
    if (group === undefined) grouped.set(q, [key]);
    else group.push(key);
  }
  return grouped;
}

function keysOf(emissions: readonly Emission[]): Keys {
  const [users, items] = [new Set<string>(), new Set<string>()];
  for (const { frame } of emissions) {
    const columns = frame.columns as Readonly<Record<string, AnyColumn>>;
    collect(columns['user'], frame.rows, users);
    collect(columns['item'], frame.rows, items);
  }
  return { users: [...users], items: [...items] };
}

function collect(column: AnyColumn | undefined, rows: number, into: Set<string>): void {
  if (column === undefined || !('codes' in column)) return;
  for (let row = 0; row < rows && into.size < KEYS_MAX; row++) {
    const text = textAt(column.dictionary, column.codes[row]!);
    if (text !== undefined) into.add(text);
  }
}
