/** Formats numbers and times for people. Short forms for tables, long ones for screen readers. */

const GROUPED = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTE = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

const DAY_MS = 86_400_000;
/** A watermark beyond this means that all sources are idle. */
const FAR_FUTURE_MS = Date.UTC(2200, 0);

export const UNKNOWN = '–';

/** 0.42 · 7.1 · 1,204 · 12.3K */
export function figure(value: number | undefined): string {
  if (value === undefined) return UNKNOWN;
  if (value !== 0 && Math.abs(value) < 1) return value.toFixed(2);
  if (!Number.isInteger(value) && Math.abs(value) < 100) return value.toFixed(1);
  return Math.abs(value) < 10_000 ? GROUPED.format(value) : SHORT.format(value);
}

/** 12 % · 0.4 % · 0 % */
export const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.01 ? 1 : 0)} %`;

export const count = (value: number | undefined): string => (value === undefined ? UNKNOWN : GROUPED.format(value));

/** 0.8 ms · 14 ms · 1.2 s · 4 min · 2.5 h · 3 d */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined) return UNKNOWN;
  if (seconds < 0.001) return seconds === 0 ? '0 s' : `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1).replace(/\.0$/, '')} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1).replace(/\.0$/, '')} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  if (value < 1e6) return `${(value / 1e3).toFixed(value < 1e4 ? 1 : 0)} kB`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e9).toFixed(1)} GB`;
}

/** The time of day; with the date when it is not today. */
export function moment(iso: string | undefined, nowMs = Date.now()): string {
  if (iso === undefined) return UNKNOWN;
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return iso;
  if (at > FAR_FUTURE_MS) return 'idle';
  if (Math.abs(nowMs - at) < DAY_MS / 2) return TIME.format(at);
  return Math.abs(nowMs - at) < 300 * DAY_MS ? DAY.format(at) : DATE.format(at);
}

const ZONE = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' });

/** A time to the minute, with its zone; with the date when it is not today. */
export function minute(iso: string, nowMs = Date.now()): string {
  const at = Date.parse(iso);
  const zone = ZONE.formatToParts(at).find(({ type }) => type === 'timeZoneName')!.value;
  return `${Math.abs(nowMs - at) < DAY_MS / 2 ? MINUTE.format(at) : DAY.format(at)} ${zone}`;
}

/** `10 min behind` the server's clock; for event time long ago, the date. */
export function behind(watermark: string | undefined, now: string): string {
  if (watermark === undefined) return UNKNOWN;
  const seconds = (Date.parse(now) - Date.parse(watermark)) / 1000;
  if (seconds < -86_400 || seconds > 172_800) return moment(watermark, Date.parse(now));
  return seconds < 1 ? 'now' : `−${duration(seconds)}`;
}

/** `electronics.audio.headphone` → `electronics › audio › headphone` */
export const categoryPath = (category: string): string => category.replaceAll('.', ' › ').replaceAll('_', ' ');

/** `electronics.audio.headphone` → `electronics`, `audio › headphone` */
export function categoryParts(category: string): readonly [main: string, rest: string] {
  const [main = '', ...rest] = category.split('.');
  return [categoryPath(main), categoryPath(rest.join('.'))];
}

export const price = (value: number): string => value.toFixed(2);

const TYPES: Readonly<Record<string, string>> = {
  streaming_category_popularity: 'Interests',
  streaming_popular_fallback: 'Popular',
  streaming_hybrid: 'Hybrid',
  streaming_co_visitation: 'Together',
  streaming_trending: 'Trending',
};

/** The type of a recommendation as a short label. */
export const kindOf = (type: string): string => TYPES[type] ?? type.replaceAll('_', ' ');

export const plural = (value: number, one: string): string => `${count(value)} ${one}${value === 1 ? '' : 's'}`;
