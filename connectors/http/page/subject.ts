/** What the items are, as GET /status says it, and the page's words for them. */
import type { Status } from './answers.js';
import { SharedValue } from './shared-value.js';

export type Words = {
  readonly item: string;
  readonly group: string;
  readonly allGroups: string;
  /** Titles of the lists. */
  readonly recommendations: string;
  readonly trending: string;
};

const WORDS: Readonly<Record<Status['subject'], Words>> = {
  items: {
    ...{ item: 'Item', group: 'Category', allGroups: 'All categories' },
    ...{ recommendations: 'Recommendations', trending: 'Trending now' },
  },
  films: {
    ...{ item: 'Film', group: 'Genre', allGroups: 'All genres' },
    ...{ recommendations: 'Recommended films', trending: 'Trending films' },
  },
};

export const words = new SharedValue(WORDS.items);

/** The name of a source or a feature, in the page's words. */
export const signOf = (name: string, { group, item }: Words): string =>
  name.replace('category', group.toLowerCase()).replace('item', item.toLowerCase());

export const noteSubject = ({ subject }: Status): void => words.set(WORDS[subject]);
