/** own-list: the user's list as it is, even if it is shorter than the limit, or its items in the requested category. */
import type { CandidateSource } from './source.js';

export const ownList: CandidateSource = (_, { category }, list) =>
  category === undefined ? list : list.filter((item) => item.category === category);
