/** A score since the page was opened, in the size of a word. */
import type { ScorePoint } from './trending-list.js';

const WIDTH = 84;
const HEIGHT = 24;
const INSET = 2;

export function Sparkline({ points }: { readonly points: readonly ScorePoint[] }) {
  const first = points[0]!;
  const last = points.at(-1)!;
  const scores = points.map(({ score }) => score);
  const least = Math.min(...scores);
  const span = Math.max(...scores) - least;
  const x = (atMs: number): number =>
    INSET + ((WIDTH - 2 * INSET) * (atMs - first.atMs)) / Math.max(1, last.atMs - first.atMs);
  const y = (score: number): number =>
    span === 0 ? HEIGHT / 2 : INSET + (HEIGHT - 2 * INSET) * (1 - (score - least) / span);
  const line = points.map(({ atMs, score }) => `${x(atMs).toFixed(1)} ${y(score).toFixed(1)}`).join('L');
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <path d={`M${line}`} />
      <circle cx={WIDTH - INSET} cy={y(last.score)} r={2} />
    </svg>
  );
}
