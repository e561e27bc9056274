/** Shows that the content is outdated, and since when. */
import { useEffect, useState } from 'preact/hooks';
import { duration, moment } from './wording.js';

/** `atMs`: when the server last responded, by this browser's clock. */
export function StaleSince({ atMs }: { readonly atMs: number }) {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const ago = Math.max(0, Math.round((nowMs - atMs) / 1000));
  return (
    // Screen readers do not announce a timer at each change.
    <span class="stale-since" role="timer">
      as of {moment(new Date(atMs).toISOString(), nowMs)}, {duration(ago)} ago
    </span>
  );
}
