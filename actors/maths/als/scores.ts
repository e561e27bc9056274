/** scores: x(u) · y(i) of a user and all items, in floats, by the kernel: what lists for all users are made of. */
import type { Factors } from './als.js';
import { kernelOf, LANES, sharedMemory, strideOf } from './kernel.js';

const FLOAT_BYTES = 4;

export function scorerOf({ rank, users, items }: Factors): (user: number, scores: Float64Array) => void {
  const stride = strideOf(rank);
  const count = items.length / rank;
  const filled = Math.ceil(count / LANES) * LANES;
  const [x, out] = [filled * stride, (filled + 1) * stride];
  const memory = sharedMemory((out + filled) * FLOAT_BYTES);
  const floats = new Float32Array(memory.buffer);
  for (let item = 0; item < count; item++) floats.set(items.subarray(item * rank, (item + 1) * rank), item * stride);
  const { dots } = kernelOf(rank, memory);
  return (user, scores) => {
    floats.set(users.subarray(user * rank, (user + 1) * rank), x);
    dots(out * FLOAT_BYTES, x * FLOAT_BYTES, 0, filled);
    scores.set(floats.subarray(out, out + count));
  };
}
