/** Load of the live benchmark, in a process of its own: events at a steady rate from a plain NATS client. Arguments: URL, rate, seconds, users. */
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const [url = '', rateText = '2000', secondsText = '30', usersText] = process.argv.slice(2);
const rate = Number(rateText);
/** Given: all users alike, those of `fill`. Else few, the first ones most. */
const users = usersText === undefined ? undefined : Number(usersText);
const FEW_USERS = 50_000;
const SLICE_MS = 10;
const CATEGORIES = ['electronics.audio', 'appliances.kitchen', 'apparel.shoes', 'computers.notebook', 'kids.toys'];

const connection = await connect({ servers: url });
const log = jetstream(connection);
const startedMs = performance.now();
const endMs = startedMs + Number(secondsText) * 1000;
let sent = 0;
const refused: unknown[] = [];

function event(n: number): string {
  // A Weyl sequence: spread over users and items, the same in every run.
  const share = (n * 0.618033988749895) % 1;
  const user = users === undefined ? `load-${Math.floor(share ** 2 * FEW_USERS)}` : `user-${Math.floor(share * users)}`;
  const item = Math.floor(((n * 0.754877666246693) % 1) ** 2 * 5_000);
  return JSON.stringify({
    event_id: `load-${process.pid}-${n}`,
    event_type: n % 50 === 0 ? 'purchase' : n % 20 === 0 ? 'cart' : 'view',
    event_time: new Date().toISOString(),
    user_id: user,
    item_id: `item-${item}`,
    category_code: CATEGORIES[item % CATEGORIES.length],
    price: 10 + (item % 90),
  });
}

while (performance.now() < endMs) {
  const due = Math.floor(((performance.now() - startedMs) / 1000) * rate);
  for (; sent < due; sent++) {
    log.publish('rivulet.events.view', event(sent)).catch((error: unknown) => refused.push(error));
  }
  await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
}
await connection.drain();
process.stdout.write(`${JSON.stringify({ sent, refused: refused.length })}\n`);
