/**
 * The server span of a call, for tracers that listen: a child of the caller's context, linked to the events that its answer comes of. What these
 * are the answer's metadata says too, for callers without a tracer.
 */
import { type Attributes, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { Metadata } from '@grpc/grpc-js';
import { contextOf, type TraceHeaders, traceHeaders } from '../../../runtime/telemetry/trace-context.js';
import type { CalledMethod } from '../../facade/ports.js';
import { REQUEST_ID_KEY } from './status-details.js';

/** In the initial metadata of an answer: the `traceparent` of the latest traced event that the list has taken in. */
const EVENT_TRACE_KEY = 'rivulet-event-trace';
/** Of a batch, those of the first lists. */
const EVENT_TRACES_MAX = 8;
/** Where a stream's lists come of more than these, its span has the first ones: tracers keep no more either. */
const LINKS_MAX = 128;

/** Statuses that are the server's fault. */
const FAULTS = new Set(['UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS']);

const tracer = trace.getTracer('rivulet');

export interface SpannedCall {
  sendMetadata(metadata: Metadata): void;
}

export class CallSpan {
  private readonly span: Span;
  /** `traceparent` of what is linked. */
  private linked: string[] | undefined;
  private isAnnounced = false;

  constructor(
    method: CalledMethod,
    private readonly call: SpannedCall,
    received: Metadata,
    private readonly requestId: () => string,
  ) {
    const [traceparent] = received.get('traceparent');
    const [tracestate] = received.get('tracestate');
    const caller =
      typeof traceparent === 'string' ? contextOf({ traceparent, tracestate: String(tracestate ?? '') }) : undefined;
    const parent = caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
    const options = { kind: SpanKind.SERVER, attributes: attributesOf(method.method) };
    this.span = tracer.startSpan(method.method, options, parent);
  }

  /** What goes on from here belongs to the call; nothing where neither the caller nor a tracer has a context. */
  headers(): TraceHeaders | undefined {
    const context = this.span.spanContext();
    return trace.isSpanContextValid(context) ? traceHeaders(context) : undefined;
  }

  /** The answer has taken in a traced event. */
  tookIn(event: TraceHeaders | undefined): void {
    if (event === undefined) return;
    this.linked ??= [];
    if (this.linked.length >= LINKS_MAX || this.linked.includes(event.traceparent)) return;
    this.linked.push(event.traceparent);
    const context = contextOf(event);
    if (context !== undefined) this.span.addLink({ context });
  }

  /** Sends the initial metadata, once. */
  announce(): void {
    if (this.isAnnounced) return;
    this.isAnnounced = true;
    const metadata = new Metadata();
    metadata.set(REQUEST_ID_KEY, this.requestId());
    for (const traceparent of this.linked?.slice(0, EVENT_TRACES_MAX) ?? []) metadata.add(EVENT_TRACE_KEY, traceparent);
    this.call.sendMetadata(metadata);
  }

  end(code: string): void {
    if (this.span.isRecording()) {
      this.span.setAttributes({ 'rpc.grpc.status_code': code, 'rivulet.request_id': this.requestId() });
      if (FAULTS.has(code)) this.span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.span.end();
  }
}

const attributes = new Map<string, Attributes>();

/** As many as there are methods. */
function attributesOf(method: string): Attributes {
  let found = attributes.get(method);
  if (found === undefined) {
    const [service = '', name = ''] = method.split('/');
    found = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': name };
    attributes.set(method, found);
  }
  return found;
}
