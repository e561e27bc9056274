/** W3C Trace Context: from the headers that name a context to what OpenTelemetry calls by that name, and back. */
import { createTraceState, isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api';

export interface TraceHeaders {
  readonly traceparent: string;
  /** Empty for none. */
  readonly tracestate: string;
}

/** A later version may be longer, and begins the same. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-[!-~]{0,128})?$/;

/** `undefined` for what is not valid: it is to be ignored, and its tracestate with it. */
export function contextOf({ traceparent, tracestate }: TraceHeaders): SpanContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', rest] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  const context = { traceId, spanId, traceFlags: parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  if (!isSpanContextValid(context)) return undefined;
  // What has more than 512 bytes, or is no list of members, comes out empty.
  return tracestate === '' ? context : { ...context, traceState: createTraceState(tracestate) };
}

export const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & TraceFlags.SAMPLED) !== 0;

export const traceHeaders = ({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceHeaders => ({
  traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
  tracestate: traceState?.serialize() ?? '',
});
