/**
 * most-popular: what a list cannot fill.
 *
 *   of a requested category its top list; else the top list over all, if the user has no list, or if items that the user has seen are excluded
 */
import type { CandidateSource } from './source.js';

export const mostPopular: CandidateSource = (reader, { category, excludeSeen }, list) => {
  if (category !== undefined) return reader.topOf(category);
  return list.length === 0 || excludeSeen ? reader.fallback() : [];
};
