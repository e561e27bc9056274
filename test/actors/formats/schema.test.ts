import { describe, expect, it } from 'vitest';
import { missingColumns } from '../../../actors/formats/csv-header.js';
import { Schema, type SchemaName } from '../../../actors/formats/schema.js';
import { FIELDS } from '../../../actors/formats/fields.js';
import { utf8 } from '../../../runtime/contract/stage.js';

const REES46 = 'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session';
const fieldOf = (schema: SchemaName, name: string): string | undefined => {
  const bytes = utf8(name);
  const alias = new Schema(schema).find(bytes, 0, bytes.length);
  return alias === undefined ? undefined : FIELDS[alias.field];
};

describe('a schema', () => {
  it.each([
    ['rivulet', 'item_id', 'item_id'],
    ['rivulet', 'review_text', 'review_text'],
    ['rivulet', 'product_id', undefined],
    ['rees46', 'product_id', 'item_id'],
    ['rees46', 'user_session', 'session_id'],
    ['rees46', 'category_id', undefined],
    ['rees46', 'item_id', undefined],
    ['rees46', 'event_id', 'event_id'],
    ['movielens', 'movieId', 'item_id'],
    ['movielens', 'movie_id', 'item_id'],
    ['movielens', 'userId', 'user_id'],
    ['movielens', 'timestamp', 'event_time'],
    ['movielens', 'event_ts', 'event_time'],
    ['movielens', 'review_text', 'review_text'],
    ['rivulet-strict', 'item_id', 'item_id'],
    ['rees46-strict', 'product_id', 'item_id'],
    ['rees46-strict', 'user_session', 'session_id'],
    ['movielens-strict', 'movie_id', 'item_id'],
    ['movielens-strict', 'event_ts', 'event_time'],
    ['movielens-strict', 'user_id', 'user_id'],
    ['movielens-strict', 'movieId', undefined],
    ['movielens-strict', 'timestamp', undefined],
    ['auto', 'item_id', 'item_id'],
    ['auto', 'product_id', 'item_id'],
    ['auto', 'movieId', 'item_id'],
    ['auto', 'ITEM_ID', undefined],
    ['auto', '', undefined],
    ['auto', 'a_name_longer_than_any_that_a_schema_knows', undefined],
  ] as const)('%s calls %s the field %s', (schema, name, field) => {
    expect(fieldOf(schema, name)).toBe(field);
  });
});

describe('the columns that a header lacks', () => {
  it.each([
    [REES46, 'auto', []],
    [REES46, 'rees46', []],
    [REES46, 'rivulet', ['item_id']],
    [REES46, 'movielens', ['timestamp', 'movieId']],
    ['userId,movieId,rating,timestamp', 'auto', []],
    ['userId,movieId,rating,timestamp\r\n', 'movielens', []],
    ['userId,movieId,timestamp', 'movielens', ['rating']],
    ['userId,movieId,timestamp', 'auto', ['rating']],
    ['userId,movieId,timestamp,event_type', 'auto', []],
    ['event_type,user_id', 'auto', ['event_time', 'item_id']],
    ['event_type,user_id', 'rees46', ['event_time', 'product_id']],
    ['"event_type", event_time ,"user_id","product_id"', 'auto', []],
    ['"a ""quoted"", name",event_type,event_time,user_id,item_id', 'auto', []],
    [REES46, 'rees46-strict', ['event_id']],
    ['event_id,event_type,event_ts,user_id,movie_id', 'movielens-strict', []],
    ['user_id,movie_id,event_ts,rating', 'movielens-strict', ['event_id', 'event_type']],
    ['', 'auto', ['event_type', 'event_time', 'user_id', 'item_id']],
  ] as const)('%s by %s', (header, schema, missing) => {
    expect(missingColumns(new Schema(schema))(utf8(header))).toEqual(missing);
  });
});
