/** The fields of an event by number: schemas map names to them, and the event writer stores positions by them. */
export const FIELDS = [
  'event_id',
  'event_type',
  'event_time',
  'user_id',
  'item_id',
  'category_code',
  'brand',
  'price',
  'session_id',
  'rating',
  'page_url',
  'device_type',
  'click_type',
  'referrer',
  'review_text',
  'position',
  'model',
  'arm',
] as const;
export type FieldName = (typeof FIELDS)[number];

export const EVENT_ID = 0;
export const EVENT_TYPE = 1;
export const EVENT_TIME = 2;
export const USER_ID = 3;
export const ITEM_ID = 4;
export const CATEGORY_CODE = 5;
export const BRAND = 6;
export const PRICE = 7;
export const SESSION_ID = 8;
export const RATING_VALUE = 9;
export const PAGE_URL = 10;
export const DEVICE_TYPE = 11;
export const CLICK_TYPE = 12;
export const REFERRER = 13;
export const REVIEW_TEXT = 14;
export const POSITION = 15;
export const MODEL = 16;
export const ARM = 17;

/** The number of everything that is not a field of an event: `category_id`, fields that a publisher adds. */
export const IGNORED = FIELDS.length;

/** Short names: bounded in length and without control characters. */
export const NAMING_FIELDS = [EVENT_ID, USER_ID, ITEM_ID, CATEGORY_CODE, BRAND, SESSION_ID, MODEL, ARM] as const;
/** Of impressions alone: other events may have fields of these names that mean something else, which is ignored. */
export const IMPRESSION_FIELDS: readonly number[] = [POSITION, MODEL, ARM];
