/**
 * Schemas: the names that publishers use for the fields of an event.
 *
 *   rivulet     event_id, event_type, event_time, user_id, item_id, category_code, … (fields.ts, all of them)
 *   rees46      product_id for the item, user_session for the session; the rest as above
 *   movielens   movieId or movie_id, userId or user_id, timestamp or event_ts; a row without event_type is a rating
 *   auto        all of these at once; two names of one field must agree
 *   …-strict    the names of that schema, of MovieLens user_id, movie_id and event_ts; and each event must be as its contract says (contracts.ts)
 *
 * Names in no schema (category_id, …) are ignored. To add a schema, add its names here.
 */
import { utf8 } from '../../runtime/contract/stage.js';
import { type FieldName, FIELDS } from './fields.js';
import { isText } from './text.js';

export const STRICT_SCHEMAS = ['rivulet-strict', 'rees46-strict', 'movielens-strict'] as const;
export const SCHEMAS = ['auto', 'rivulet', 'rees46', 'movielens', ...STRICT_SCHEMAS] as const;
export type SchemaName = (typeof SCHEMAS)[number];
export type StrictSchemaName = (typeof STRICT_SCHEMAS)[number];

/** One name of one field. */
export interface Alias {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly field: number;
  /** With this name, an event without a type is a rating. */
  readonly impliesRating: boolean;
}

/** The fields for which a schema has its own names, and only these names. */
type Names = Partial<Record<FieldName, readonly string[]>>;
const REES46: Names = { item_id: ['product_id'], session_id: ['user_session'] };
const OWN_NAMES: Readonly<Record<Exclude<SchemaName, 'auto'>, Names>> = {
  rivulet: {},
  rees46: REES46,
  movielens: {
    user_id: ['userId', 'user_id'],
    item_id: ['movieId', 'movie_id'],
    event_time: ['timestamp', 'event_ts'],
  },
  'rivulet-strict': {},
  'rees46-strict': REES46,
  'movielens-strict': { item_id: ['movie_id'], event_time: ['event_ts'] },
};

/** The strict variant: what it accepts, the schema accepts. */
export function strictOf(name: SchemaName): StrictSchemaName {
  if (name === 'auto') return 'movielens-strict';
  return isStrict(name) ? name : `${name}-strict`;
}

const isStrict = (name: SchemaName): name is StrictSchemaName => (STRICT_SCHEMAS as readonly string[]).includes(name);

export class Schema {
  /** The names of each field, the default first. */
  readonly names: readonly (readonly string[])[];
  readonly impliesRating: boolean;
  readonly isStrict: boolean;
  /** An event without an id is refused. */
  readonly needsId: boolean;
  private readonly byLength: readonly (readonly Alias[])[];

  /** `idsAreMade`: events without an id get one. */
  constructor(
    readonly name: SchemaName,
    { idsAreMade = false }: { readonly idsAreMade?: boolean } = {},
  ) {
    const used = name === 'auto' ? (['rivulet', 'rees46', 'movielens'] as const) : [name];
    this.names = FIELDS.map((field) => [...new Set(used.flatMap((schema) => OWN_NAMES[schema][field] ?? [field]))]);
    this.impliesRating = name === 'movielens';
    this.isStrict = isStrict(name);
    this.needsId = this.isStrict && !idsAreMade;
    const aliases = this.names.flatMap((names, field) =>
      names.map((alias) => ({ name: alias, bytes: utf8(alias), field, impliesRating: this.isMovieLens(alias) })),
    );
    const lengthMax = Math.max(...aliases.map(({ bytes }) => bytes.length));
    this.byLength = Array.from({ length: lengthMax + 1 }, (_, length) =>
      aliases.filter(({ bytes }) => bytes.length === length),
    );
  }

  /** The field that bytes [start, end) name, `undefined` for an unknown name. */
  find(bytes: Uint8Array, start: number, end: number): Alias | undefined {
    const candidates = this.byLength[end - start];
    if (candidates === undefined) return undefined;
    for (const alias of candidates) if (isText(bytes, start, end, alias.bytes)) return alias;
    return undefined;
  }

  /** The default names of the required fields that are not among `present`. */
  missing(present: readonly Alias[]): string[] {
    const has = (name: FieldName): boolean => present.some(({ field }) => FIELDS[field] === name);
    const isRating = this.impliesRating || present.some(({ impliesRating }) => impliesRating);
    const what = isRating && !has('event_type') ? 'rating' : 'event_type';
    const required = [what, 'event_time', 'user_id', 'item_id'] as const;
    const all = this.needsId ? (['event_id', ...required] as const) : required;
    return all.filter((name) => !has(name)).map((name) => this.names[FIELDS.indexOf(name)]![0]!);
  }

  private isMovieLens(alias: string): boolean {
    return this.name === 'movielens' || (!this.isStrict && OWN_NAMES.movielens.item_id!.includes(alias));
  }
}
