/** What an event may hold at most; what a message may is in the options of parse. */
/** A power of two: see EventWriter. */
export const NAME_BYTES_MAX = 256;
export const REVIEW_CHARACTERS_MAX = 5000;
export const RATING_MIN = 0.5;
export const RATING_MAX = 5;
