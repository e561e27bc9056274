/** The query for recommendations, as it is in the address: `#user=ann&n=10&category=kids&exclude_seen=true`. */

export type Question = {
  readonly user: string;
  /** As typed: the server checks that it is a number from 1 to 100. */
  readonly n: string;
  readonly category: string;
  readonly excludeSeen: boolean;
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
  };
}

export function toHash({ user, n, category, excludeSeen }: Question): string {
  const fields = new URLSearchParams({ user: user.trim(), n: n.trim() });
  if (category.trim() !== '') fields.set('category', category.trim());
  if (excludeSeen) fields.set('exclude_seen', 'true');
  return `#${fields.toString()}`;
}
