/** The list of a user: items, scores and reasons. */
import type { RecommendedItem, Recommendations } from './answers.js';
import { useSharedValue } from './shared-value.js';
import { SimilarButton } from './similar-items.js';
import { signOf, type Words, words } from './subject.js';
import { categoryParts, figure, kindOf, percent, price } from './wording.js';

const WAITING_ROWS = 6;

interface TableProps {
  readonly answer: Recommendations | undefined;
  readonly busy: boolean;
}

export function RecommendationTable({ answer, busy }: TableProps) {
  const own = useSharedValue(words);
  const { item, group } = own;
  const items = answer?.items ?? [];
  const best = Math.max(...items.map(({ score }) => score), Number.MIN_VALUE);
  if (answer === undefined && !busy) return null;
  if (answer !== undefined && items.length === 0) {
    return <p class="nothing">Nothing to recommend: no item fits the question, or nothing is popular yet.</p>;
  }
  return (
    <table class={busy ? 'list is-waiting' : 'list'} aria-busy={busy}>
      <caption class="unseen">
        {answer === undefined
          ? 'Recommendations, on their way'
          : `Recommendations for ${answer.user_id}, the best first`}
      </caption>
      <thead>
        <tr>
          <th scope="col" class="rank">
            <span class="unseen">Rank</span>
            <span aria-hidden="true">#</span>
          </th>
          <th scope="col">{item}</th>
          <th scope="col" class="wide">
            {group}
          </th>
          <th scope="col" class="score">
            Score
          </th>
          <th scope="col" class="wide">
            Why
          </th>
        </tr>
      </thead>
      <tbody>
        {answer === undefined
          ? Array.from({ length: WAITING_ROWS }, (_, i) => <WaitingRow key={i} />)
          : items.map((one) => <Row key={one.item_id} item={one} best={best} own={own} />)}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly item: RecommendedItem;
  readonly best: number;
  readonly own: Words;
}

function Row({ item, best, own }: RowProps) {
  const why = (
    <>
      <span class={`chip ${item.type.endsWith('fallback') ? '' : 'accent'}`} title={item.type}>
        {kindOf(item.type)}
      </span>{' '}
      {item.reason}
      {item.contributions !== undefined && item.contributions.length > 0 && (
        <div class="contributions">
          {item.contributions.map(({ source, share }) => `${signOf(source, own)} ${percent(share)}`).join(' · ')}
        </div>
      )}
    </>
  );
  return (
    <tr>
      <td class="rank">{item.rank}</td>
      <td class="item">
        <ItemName item={item} facts={[item.brand, item.price === undefined ? undefined : price(item.price)]} />
        <div class="narrow sub">{why}</div>
      </td>
      <td class="wide category">{item.category !== undefined && <Category category={item.category} />}</td>
      <td class="score">
        <div class="scored">
          <span class="bar" aria-hidden="true">
            <span style={{ width: `${(100 * Math.max(0, item.score)) / best}%` }} />
          </span>
          {figure(item.score)}
        </div>
      </td>
      <td class="wide sub why-cell">{why}</td>
    </tr>
  );
}

type NamedItem = Pick<RecommendedItem, 'item_id' | 'title' | 'brand' | 'price'>;

interface ItemNameProps {
  readonly item: NamedItem;
  /** Shown beside the id. */
  readonly facts: readonly (string | undefined)[];
}

/** The title, if known, and always the id. */
export const ItemName = ({ item, facts }: ItemNameProps) => (
  <>
    {item.title !== undefined && (
      <div class="title" title={item.title}>
        {item.title}
      </div>
    )}
    <div class="sub">
      <code class={item.title === undefined ? 'title' : ''} title={item.item_id}>
        {item.item_id}
      </code>
      {facts.map((fact) => fact !== undefined && <span key={fact}>{fact}</span>)}
      <SimilarButton item={item} />
    </div>
  </>
);

function Category({ category }: { readonly category: string }) {
  const [main, rest] = categoryParts(category);
  return (
    <>
      {main}
      <div class="sub">{rest}</div>
    </>
  );
}

const WaitingRow = () => (
  <tr class="ghost" aria-hidden="true">
    <td class="rank" />
    <td class="item">
      <div class="title">
        <i />
      </div>
      <div class="sub">
        <i />
      </div>
    </td>
    <td class="wide" />
    <td class="score" />
    <td class="wide" />
  </tr>
);
