/** The lists of one user by every strategy, side by side: what stands in several of them is marked. */
import { useState } from 'preact/hooks';
import type { Recommendations } from './answers.js';
import { announce, FaultNotice, Spinner } from './panel.js';
import { STRATEGIES } from './question.js';
import { faultOf, getJson, query, type RequestFault } from './server.js';

const ITEMS = 5;

type Compared = {
  readonly lists?: readonly (readonly [strategy: string, list: Recommendations])[];
  readonly fault?: RequestFault;
  readonly busy: boolean;
};

export function Comparison({ user }: { readonly user: string }) {
  const [{ lists, fault, busy }, setCompared] = useState<Compared>({ busy: false });
  const compare = async (): Promise<void> => {
    setCompared({ busy: true });
    try {
      const asked = Object.keys(STRATEGIES).map(async (strategy) => {
        const path = `/reco${query({ user_id: user, n: ITEMS, strategy })}`;
        return [strategy, await getJson<Recommendations>(path)] as const;
      });
      setCompared({ lists: await Promise.all(asked), busy: false });
      announce(`Lists by ${asked.length} strategies.`);
    } catch (error) {
      setCompared({ fault: faultOf(error), busy: false });
    }
  };
  const all = lists?.flatMap(([, { items }]) => items.map(({ item_id: item }) => item)) ?? [];
  const isShared = (item: string): boolean => all.indexOf(item) !== all.lastIndexOf(item);
  return (
    <div class="comparison">
      <button type="button" aria-expanded={lists !== undefined} onClick={() => void compare()}>
        {busy && <Spinner />} Compare strategies
      </button>
      {fault !== undefined && <FaultNotice fault={fault} />}
      {lists !== undefined && (
        <div class="side-by-side">
          {lists.map(([strategy, { items }]) => (
            <section key={strategy} aria-label={STRATEGIES[strategy]}>
              <h3>{STRATEGIES[strategy]}</h3>
              <ol>
                {items.map(({ item_id: item, title, reason }) => (
                  <li key={item}>
                    <span class={isShared(item) ? 'title is-shared' : 'title'} title={item}>
                      {title ?? item}
                    </span>
                    <div class="sub">{reason}</div>
                  </li>
                ))}
              </ol>
              {items.length === 0 && <p class="nothing">Nothing yet.</p>}
            </section>
          ))}
        </div>
      )}
    </div>
  );
}
