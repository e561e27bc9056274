/** Polling: one request at a time, none while the page is hidden or a token is missing, and slower while it fails. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { faultOf, type RequestFault, tokenRequest } from './server.js';

const SLOWER_MAX = 4;

export interface Polling {
  /** Why the last request failed; absent when it succeeded. */
  readonly fault?: RequestFault;
  /** While requests fail: the time of the last response, if there was one. */
  readonly staleSinceMs?: number;
  /** Requests now. */
  readonly refresh: () => void;
}

/** Calls `ask` every `everyMs` while the part is shown; starts again when `key` changes. */
export function usePolling(load: (signal: AbortSignal) => Promise<void>, everyMs: number, key = ''): Polling {
  const [fault, setFault] = useState<RequestFault>();
  const answeredAtMs = useRef<number>(undefined);
  const latest = useRef(load);
  latest.current = load;
  const now = useRef<() => void>(() => undefined);
  useEffect(() => {
    const over = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let busy = false;
    let failures = 0;
    const next = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => void turn(), ms);
    };
    const turn = async (): Promise<void> => {
      clearTimeout(timer);
      if (busy || over.signal.aborted || document.hidden || tokenRequest.value !== undefined) return;
      busy = true;
      try {
        await latest.current(over.signal);
        failures = 0;
        answeredAtMs.current = Date.now();
        if (!over.signal.aborted) setFault(undefined);
        next(everyMs);
      } catch (error) {
        if (over.signal.aborted) return;
        const found = faultOf(error);
        failures++;
        setFault(found);
        next(found.retryAfterMs ?? everyMs * Math.min(SLOWER_MAX, failures));
      } finally {
        busy = false;
      }
    };
    const onChange = (): void => void turn();
    now.current = onChange;
    document.addEventListener('visibilitychange', onChange);
    const forget = tokenRequest.listen(onChange);
    onChange();
    return () => {
      over.abort();
      clearTimeout(timer);
      forget();
      document.removeEventListener('visibilitychange', onChange);
    };
  }, [everyMs, key]);
  const refresh = (): void => now.current();
  if (fault === undefined) return { refresh };
  const { current: staleSinceMs } = answeredAtMs;
  return { fault, refresh, ...(staleSinceMs === undefined ? {} : { staleSinceMs }) };
}
