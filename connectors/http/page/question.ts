/** The query for recommendations, as it is in the address: `#user=ann&n=10&category=kids&exclude_seen=true&strategy=hybrid`. */

export type Question = {
  readonly user: string;
  /** As typed: the server checks that it is a number from 1 to 100. */
  readonly n: string;
  readonly category: string;
  readonly excludeSeen: boolean;
  /** Empty: as the node is configured. */
  readonly strategy: string;
};

/** What can decide the order of a list, with words for people. */
export const STRATEGIES: Readonly<Record<string, string>> = {
  hybrid: 'Hybrid',
  'category-popularity': 'By interests',
  'co-visitation': 'Seen together',
  als: 'By taste',
  'als-trending': 'Taste and trend',
  trending: 'Trending',
};

export function questionIn(hash: string): Question | undefined {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const user = fields.get('user');
  if (user === null || user === '') return undefined;
  return {
    user,
    n: fields.get('n') ?? '10',
    category: fields.get('category') ?? '',
    excludeSeen: fields.get('exclude_seen') === 'true',
    strategy: fields.get('strategy') ?? '',
  };
}

export function toHash({ user, n, category, excludeSeen, strategy }: Question): string {
  const fields = new URLSearchParams({ user: user.trim(), n: n.trim() });
  if (category.trim() !== '') fields.set('category', category.trim());
  if (excludeSeen) fields.set('exclude_seen', 'true');
  if (strategy !== '') fields.set('strategy', strategy);
  return `#${fields.toString()}`;
}
