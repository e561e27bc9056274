/**
 * in-order: ratings in order of time, those of one second as they came; the files of MovieLens are in order of users. Takes some 50 bytes of memory for each rating.
 *
 * Sorted by digits of 16 bits (radix sort): 25 million comparisons of a general sort take a minute.
 */
import type { Rating } from './ratings.js';

const DIGIT = 2 ** 16;

export async function* inOrder(ratings: AsyncIterable<Rating>): AsyncGenerator<Rating, void, undefined> {
  const [users, items] = [new Map<string, number>(), new Map<string, number>()];
  const [user, item, value, time] = [new Numbers(), new Numbers(), new Numbers(), new Numbers()];
  for await (const one of ratings) {
    user.push(numberOf(users, one.user));
    item.push(numberOf(items, one.item));
    value.push(one.rating);
    time.push(one.seconds);
  }
  const names = { users: [...users.keys()], items: [...items.keys()] };
  for (const at of orderOf(time.values())) {
    yield {
      ...{ user: names.users[user.at(at)]!, item: names.items[item.at(at)]! },
      ...{ rating: value.at(at), seconds: time.at(at) },
    };
  }
}

/** Places of the least first; of equal ones in their order. */
export function orderOf(times: Float64Array): Uint32Array {
  const least = times.reduce((before, one) => Math.min(before, one), Infinity);
  const most = times.reduce((before, one) => Math.max(before, one), -Infinity);
  let order = Uint32Array.from(times.keys());
  for (let unit = 1; unit <= most - least; unit *= DIGIT) {
    const digit = (at: number): number => Math.floor((times[at]! - least) / unit) % DIGIT;
    const starts = new Uint32Array(DIGIT + 1);
    for (const at of order) starts[digit(at) + 1]!++;
    for (let i = 1; i <= DIGIT; i++) starts[i]! += starts[i - 1]!;
    const next = new Uint32Array(order.length);
    for (const at of order) next[starts[digit(at)]!++] = at;
    order = next;
  }
  return order;
}

/** Grows. */
class Numbers {
  private all = new Float64Array(1024);
  private count = 0;

  push(value: number): void {
    if (this.count === this.all.length) {
      const grown = new Float64Array(2 * this.count);
      grown.set(this.all);
      this.all = grown;
    }
    this.all[this.count++] = value;
  }

  at(place: number): number {
    return this.all[place]!;
  }

  values(): Float64Array {
    return this.all.subarray(0, this.count);
  }
}

function numberOf(numbers: Map<string, number>, text: string): number {
  const known = numbers.get(text) ?? numbers.size;
  numbers.set(text, known);
  return known;
}
