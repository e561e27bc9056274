import { describe, expect, it } from 'vitest';
import { FrameChunks } from '../../../actors/maths/frame-chunks.js';
import { frameType, rowsOf } from '../../../runtime/contract/stage.js';

const type = frameType('line', { user: 'text', n: 'f64' });

const chunked = (users: number, lines: number, user: (i: number) => string) => {
  const chunks = new FrameChunks(type, 10);
  for (let i = 0; i < users; i++) {
    chunks.group();
    for (let n = 0; n < lines; n++) chunks.frame.add({ user: user(i), n });
  }
  return chunks.finish();
};

describe('frame chunks', () => {
  it('are none without rows, and one where rows are few', () => {
    expect(new FrameChunks(type, 0).finish()).toEqual([]);
    const [only, ...more] = chunked(3, 2, String);
    expect(more).toEqual([]);
    expect(rowsOf(only!).map(({ user, n }) => `${user}${n}`)).toEqual(['00', '01', '10', '11', '20', '21']);
  });

  it.each([
    ['many rows', 20_000, (i: number) => String(i)],
    ['long texts', 2_000, (i: number) => String(i).padStart(256, 'u')],
  ])('are of bounded size with %s, and never part a group', (_, users, user) => {
    const frames = chunked(users, 3, user);
    expect(frames.length).toBeGreaterThan(1);
    const seen = new Set<string>();
    for (const frame of frames) {
      const { codes, dictionary } = frame.columns.user;
      expect(frame.rows * 12 + dictionary.bytes.length + dictionary.size * 4).toBeLessThan(300 * 1024);
      expect(codes[0]).toBe(1);
      const own = new Set(rowsOf(frame).map((row) => row.user!));
      for (const name of own) expect(seen.has(name)).toBe(false);
      own.forEach((name) => seen.add(name));
    }
    expect(frames.reduce((sum, { rows }) => sum + rows, 0)).toBe(users * 3);
    expect(seen.size).toBe(users);
  });
});
