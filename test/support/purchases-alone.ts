/**
 * Settings of nodes whose lists are compared with those of another: purchases alone say what is popular. Where views count, too, a list depends on how
 * many of them were counted when it was made.
 */
const UNCOUNTED = ['view', 'click', 'cart', 'rating'].map((type) => `pipeline.popularity.weights.${type}`);

/** For a node that is started with flags. */
export const PURCHASES_ALONE: readonly string[] = UNCOUNTED.flatMap((key) => ['--set', `${key}=0`]);

/** The same for `settingsOf`. */
export const PURCHASES_ALONE_SET = UNCOUNTED.map((key) => ({ key, value: '0', bySet: true }));
