/**
 * The server span of a call, for an OpenTelemetry SDK if there is one: a child of the caller's context, linked to the events that led to the
 * response. The response metadata carries the same links, for callers without tracing.
 */
import { type Attributes, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { Metadata } from '@grpc/grpc-js';
import { contextOf, type TraceHeaders, traceHeaders } from '../../../runtime/telemetry/trace-context.js';
import type { CalledMethod } from '../../facade/ports.js';
import { REQUEST_ID_KEY } from './status-details.js';

/** In the initial response metadata: the `traceparent` of the latest traced event that the list includes. */
const EVENT_TRACE_KEY = 'rivulet-event-trace';
/** In a batch, those of the first lists. */
const EVENT_TRACES_MAX = 8;
/** The span of a stream with more linked events has the first ones: tracing SDKs keep no more either. */
const LINKS_MAX = 128;

/** Statuses that count as server errors. */
const FAULTS = new Set(['UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS']);

const tracer = trace.getTracer('rivulet');

export interface SpannedCall {
  sendMetadata(metadata: Metadata): void;
}

export class CallSpan {
  private readonly span: Span;
  /** The `traceparent` of each linked event. */
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

  /** The trace context for work on behalf of the call; `undefined` when neither the caller nor a tracer has one. */
  headers(): TraceHeaders | undefined {
    const context = this.span.spanContext();
    return trace.isSpanContextValid(context) ? traceHeaders(context) : undefined;
  }

  /** The response includes a traced event. */
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

/** One entry per method. */
function attributesOf(method: string): Attributes {
  let found = attributes.get(method);
  if (found === undefined) {
    const [service = '', name = ''] = method.split('/');
    found = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': name };
    attributes.set(method, found);
  }
  return found;
}
