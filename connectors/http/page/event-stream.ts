/**
 * Server-Sent Events by `fetch`, because an EventSource cannot send a token.
 *
 *   PAGE-STREAM-1  it reconnects: after the server's `retry`, doubled at each failure up to RETRY_MS_MAX, with the last id received
 *   PAGE-STREAM-2  a stream that is silent for longer than SILENT_MS_MAX (heartbeats come every 15 s) is treated as lost
 *   PAGE-STREAM-3  the buffer is bounded: an event longer than EVENT_CHARACTERS_MAX is an error
 */
import { faultOf, request, type RequestFault, tokenRequest } from './server.js';

export type StreamEvent = { readonly kind: string; readonly data: string; readonly id?: string };

export interface StreamListener {
  onOpen(): void;
  /** Throws when the event is invalid: the stream then restarts from the beginning. */
  onEvent(event: StreamEvent): void;
  onLost(fault: RequestFault, retryMs: number): void;
}

const RETRY_MS = 2_000;
const RETRY_MS_MAX = 20_000;
const SILENT_MS_MAX = 40_000;
const EVENT_CHARACTERS_MAX = 1_000_000;

/** Runs until the signal is aborted; never throws. */
export async function listen(path: string, listener: StreamListener, signal: AbortSignal): Promise<void> {
  let lastId: string | undefined;
  let failures = 0;
  let retryMs = RETRY_MS;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const both = AbortSignal.any([signal, attempt.signal]);
    let silence = setTimeout(() => attempt.abort(), SILENT_MS_MAX);
    const onBytes = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => attempt.abort(), SILENT_MS_MAX);
    };
    let broken = false;
    try {
      const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
      const response = await request(path, { signal: both, headers });
      onBytes();
      listener.onOpen();
      failures = 0;
      for await (const event of eventsOf(response.body!, onBytes, (ms) => (retryMs = ms))) {
        broken = true;
        listener.onEvent(event);
        broken = false;
        lastId = event.id ?? lastId;
      }
      throw new Error('The stream ended.');
    } catch (error) {
      if (signal.aborted) return;
      if (broken) lastId = undefined;
      const fault = faultOf(error);
      const waitMs = fault.retryAfterMs ?? Math.min(RETRY_MS_MAX, retryMs * 2 ** failures++);
      listener.onLost(fault, waitMs);
      attempt.abort();
      await pause(waitMs, signal);
    } finally {
      clearTimeout(silence);
    }
  }
}

/** The events of a body, parsed as the HTML standard defines `text/event-stream`. */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
  onRetry: (ms: number) => void,
): AsyncGenerator<StreamEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = '';
  let kind = 'message';
  let id: string | undefined;
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      rest += value;
      if (rest.length > EVENT_CHARACTERS_MAX) throw new Error('An event of the stream is too long.');
      // A carriage return at the end may be the first half of a line break.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop()!;
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { kind, data: data.join('\n'), ...(id === undefined ? {} : { id }) };
          kind = 'message';
          data = [];
          continue;
        }
        const [field, text] = fieldOf(line);
        if (field === 'event') kind = text;
        else if (field === 'data') data.push(text);
        else if (field === 'id') id = text;
        else if (field === 'retry' && /^\d+$/.test(text)) onRetry(Number(text));
      }
    }
  } finally {
    // A stream that has failed cannot be cancelled: its error is thrown by the read.
    await reader.cancel().catch(() => undefined);
  }
}

function fieldOf(line: string): readonly [field: string, text: string] {
  const at = line.indexOf(':');
  if (at < 0) return [line, ''];
  return [line.slice(0, at), line.slice(line.charAt(at + 1) === ' ' ? at + 2 : at + 1)];
}

/** Ends early when the tab becomes visible or a token was given: a person should not wait. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const onShown = (): void => {
      if (!document.hidden && tokenRequest.value === undefined) end();
    };
    // Without a token it would only be refused again.
    const timer = tokenRequest.value === undefined ? setTimeout(() => end(), ms) : undefined;
    const forget = tokenRequest.listen(() => tokenRequest.value === undefined && end());
    const end = (): void => {
      clearTimeout(timer);
      forget();
      document.removeEventListener('visibilitychange', onShown);
      signal.removeEventListener('abort', end);
      resolve();
    };
    document.addEventListener('visibilitychange', onShown);
    signal.addEventListener('abort', end);
  });
}
