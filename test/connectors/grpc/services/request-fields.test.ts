import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { textProblem } from '../../../../connectors/facade/errors/text-problem.js';
import { queryOf } from '../../../../connectors/grpc/services/request-fields.js';
import { GetRecommendationsRequestSchema } from '../../../../proto/gen/rivulet/v1/recommendation_service_pb.js';

type Given = Partial<{ userId: string; limit: number; category: string; excludeSeen: boolean; explain: boolean }>;
const query = (given: Given): ReturnType<typeof queryOf> =>
  queryOf(create(GetRecommendationsRequestSchema, { userId: '512', ...given }));

describe('a request with sound fields', () => {
  it('becomes a query, with 10 items unless a limit is set', () => {
    expect(query({})).toEqual({ userId: '512', limit: 10, category: undefined, excludeSeen: false, explain: false });
    expect(query({ limit: 100, category: 'electronics', excludeSeen: true, explain: true })).toEqual({
      userId: '512',
      limit: 100,
      category: 'electronics',
      excludeSeen: true,
      explain: true,
    });
  });

  it.each(['a'.repeat(256), 'é'.repeat(128), '漢'.repeat(85), 'user 7', '😀'])('may have the user id %s', (userId) => {
    expect(query({ userId })).toMatchObject({ userId });
  });
});

describe('a request with a wrong field', () => {
  it.each<[string, Given, string, RegExp]>([
    ['no user', { userId: '' }, 'user_id', /is required/],
    ['a long user id', { userId: 'a'.repeat(257) }, 'user_id', /has 257 bytes, must have at most 256/],
    ['a user id of many bytes', { userId: '漢'.repeat(86) }, 'user_id', /has 258 bytes/],
    ['a line end in the user id', { userId: '512\n' }, 'user_id', /control character \(0x0a\) at position 3/],
    ['a control character above ASCII', { userId: 'a\u0085' }, 'user_id', /0x85/],
    ['a negative limit', { limit: -1 }, 'limit', /is -1, must be from 1 to 100/],
    ['a large limit', { limit: 101 }, 'limit', /is 101, must be from 1 to 100/],
    ['a long category', { category: 'c'.repeat(257) }, 'category', /has 257 bytes/],
    ['a tab in the category', { category: 'a\tb' }, 'category', /0x09/],
  ])('is told about %s', (_, given, field, description) => {
    expect(query(given)).toEqual([{ field, description: expect.stringMatching(description) }]);
  });

  it('is told about all of them at once', () => {
    const found = query({ userId: '', limit: 1000, category: '\0' });
    expect(found).toMatchObject([{ field: 'user_id' }, { field: 'limit' }, { field: 'category' }]);
  });
});

it('an empty text is no problem by itself', () => {
  expect(textProblem('')).toBeUndefined();
});
