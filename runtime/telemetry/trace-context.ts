/** W3C Trace Context: from its headers to OpenTelemetry's span context, and back. */
import { createTraceState, isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api';

export interface TraceHeaders {
  readonly traceparent: string;
  /** Empty: absent. */
  readonly tracestate: string;
}

/** A later version may be longer, with the same beginning. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-[!-~]{0,128})?$/;

/** `undefined` if not valid: it must be ignored, and its tracestate with it. */
export function contextOf({ traceparent, tracestate }: TraceHeaders): SpanContext | undefined {
  const [, version, traceId = '', spanId = '', flags = '', rest] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  const context = { traceId, spanId, traceFlags: parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  if (!isSpanContextValid(context)) return undefined;
  // A value of more than 512 bytes, or not a list of members, becomes empty.
  return tracestate === '' ? context : { ...context, traceState: createTraceState(tracestate) };
}

export const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & TraceFlags.SAMPLED) !== 0;

export const traceHeaders = ({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceHeaders => ({
  traceparent: `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`,
  tracestate: traceState?.serialize() ?? '',
});
