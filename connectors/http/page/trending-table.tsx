/** Rows that move: a row glides to its new rank, a new one fades in, unless the user prefers reduced motion. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from './icons.js';
import { ItemName } from './recommendation-table.js';
import { useSharedValue } from './shared-value.js';
import { Sparkline } from './sparkline.js';
import { words } from './subject.js';
import type { FollowedItem } from './trending-list.js';
import { figure, minute, plural } from './wording.js';

const GLIDE: KeyframeAnimationOptions = { duration: 450, easing: 'cubic-bezier(0.2, 0, 0, 1)' };
const lessMotion = matchMedia('(prefers-reduced-motion: reduce)');

interface TableProps {
  readonly items: readonly FollowedItem[];
  /** Start of the window. */
  readonly since: string | undefined;
}

export function TrendingTable({ items, since }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  useGlide(body.current, items);
  const { item: noun } = useSharedValue(words);
  return (
    <table class="list trending-list">
      <caption class="unseen">
        What is trending{since === undefined ? '' : ` since ${minute(since)}`}, the first first. Movement is over the
        last minute.
      </caption>
      <thead>
        <tr>
          <th scope="col" class="rank">
            <span class="unseen">Rank</span>
            <span aria-hidden="true">#</span>
          </th>
          <th scope="col" class="movement">
            <span class="unseen">Movement</span>
          </th>
          <th scope="col">{noun}</th>
          <th scope="col" class="spark" aria-label="Score since the page was opened" />
          <th scope="col" class="score">
            Score
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        {items.map((item) => (
          <tr key={item.item_id} data-item={item.item_id}>
            <td class="rank">{item.rank}</td>
            <td class="movement">
              <Movement movement={item.movement} />
            </td>
            <td class="item">
              <ItemName item={item} facts={[counted(item.views, 'view'), counted(item.clicks, 'click')]} />
            </td>
            <td class="spark">
              <Sparkline points={item.points} />
            </td>
            <td class="score">{figure(item.score)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const counted = (value: number | undefined, one: string): string | undefined =>
  value === undefined ? undefined : plural(value, one);

function Movement({ movement }: { readonly movement: FollowedItem['movement'] }) {
  if (movement === 'new') return <span class="chip accent">new</span>;
  if (movement === 0) return <span class="still" aria-label="same place" role="img" />;
  const by = Math.abs(movement);
  const words = `${movement > 0 ? 'up' : 'down'} ${by}`;
  return (
    <span class={movement > 0 ? 'rise' : 'fall'} role="img" aria-label={words} title={`${words} in the last minute`}>
      <Icon name={movement > 0 ? 'up' : 'down'} />
      <span aria-hidden="true">{by}</span>
    </span>
  );
}

/** FLIP (first, last, invert, play): the browser lays out the new order; each row is then drawn at its old place, and glides. */
function useGlide(body: HTMLTableSectionElement | null, items: readonly FollowedItem[]): void {
  const places = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const before = places.current;
    const now = new Map<string, number>();
    for (const row of body?.rows ?? []) {
      const id = row.dataset['item']!;
      now.set(id, row.offsetTop);
      const was = before.get(id);
      if (before.size === 0 || lessMotion.matches) continue;
      if (was === undefined) row.animate([{ opacity: 0 }, { opacity: 1 }], GLIDE);
      else if (was !== row.offsetTop) {
        row.animate([{ transform: `translateY(${was - row.offsetTop}px)` }, { transform: 'none' }], GLIDE);
      }
    }
    places.current = now;
  }, [body, items]);
}
