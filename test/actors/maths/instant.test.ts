import { expect, it } from 'vitest';
import { instant } from '../../../actors/maths/instant.js';
import { value } from '../../../runtime/contract/stage.js';

it.each([0, -1, 1_569_888_000_123, 0.5, -Infinity, Infinity])('%d comes back from a snapshot', (timeMs) => {
  const cell = value(() => NaN, instant).create();
  cell.set(timeMs);
  const [{ value: bytes } = { value: undefined }] = cell.cut();
  const restored = value(() => NaN, instant).create();
  restored.restore({ get: () => bytes, entries: () => [] });
  expect(restored.get()).toBe(timeMs);
});
