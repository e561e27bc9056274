/** A client of Rivulet in TypeScript: asks for recommendations, follows lists as they change, publishes events. */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import {
  CallError,
  type ConnectOptions,
  connectRivulet,
  EventType,
  type RivuletClient,
  type StreamOptions,
} from 'rivulet';

const USAGE = `usage: node dist/client.js [--address HOST:PORT] [--ca FILE|public] [--deadline SECONDS] COMMAND
commands: get USER | batch USER... | follow USER | trending [CATEGORY] | publish USER TYPE ITEM...
--ca names whom to trust, "public" those that everybody does; without it there is no TLS.
A bearer token is taken from the variable BEARER_TOKEN.`;

const { values: options, positionals } = parseArgs({
  options: {
    address: { type: 'string', default: '127.0.0.1:50051' },
    ca: { type: 'string' },
    deadline: { type: 'string', default: '5' },
  },
  allowPositionals: true,
});
const { ca, address } = options;
const deadlineMs = Number(options.deadline) * 1000;
const [command = '', ...args] = positionals;
const token = process.env.BEARER_TOKEN;

const connect: ConnectOptions = {
  deadlineMs,
  ...(token ? { token } : {}),
  ...(ca ? { tls: ca === 'public' ? {} : { caPath: ca } } : {}),
};
/** Streams go on by themselves where they ended: when the node has told them to, and from the revision they have. */
const goingOn: StreamOptions = {
  onInterrupted: (error, retryMs) => console.error(`${error.status}: the stream ended, again in ${retryMs / 1000} s`),
};

async function get(rivulet: RivuletClient, userId: string): Promise<void> {
  show(userId, (await rivulet.getRecommendations({ userId })).items);
}

async function batch(rivulet: RivuletClient, userIds: string[]): Promise<void> {
  for (const { userId, items } of await rivulet.batchGetRecommendations({ userIds })) show(userId, items);
}

async function follow(rivulet: RivuletClient, userId: string): Promise<void> {
  for await (const { items } of rivulet.streamRecommendations({ userId }, goingOn)) show(userId, items);
}

async function trending(rivulet: RivuletClient, category = ''): Promise<void> {
  for await (const { revision, items } of rivulet.streamTrending({ category }, goingOn)) {
    show(`revision ${revision}`, items);
  }
}

async function publish(rivulet: RivuletClient, userId: string, type: string, itemIds: string[]): Promise<void> {
  // The node refuses a type that there is not.
  const eventType = EventType[type.toUpperCase() as keyof typeof EventType] ?? EventType.UNSPECIFIED;
  const events = itemIds.map((itemId) => ({
    // With an id of its own, an event that is sent again is counted once.
    eventId: randomUUID(),
    eventTime: { seconds: BigInt(Math.floor(Date.now() / 1000)) },
    ...{ eventType, userId, itemId },
  }));
  const { accepted, rejected, errors } = await rivulet.publishEvents(events, { deadlineMs });
  console.log(`accepted ${accepted}, rejected ${rejected}`);
  for (const { index, field, reason } of errors) console.log(`event ${index}: ${field}: ${reason}`);
}

function show(title: string, items: readonly { readonly itemId: string; readonly score: number }[]): void {
  console.log(`${title}: ${items.map(({ itemId, score }) => `${itemId} ${score.toFixed(2)}`).join(', ')}`);
}

const [first, second, ...rest] = args;
const rivulet = await connectRivulet(address, connect);
try {
  if (command === 'get' && first !== undefined) await get(rivulet, first);
  else if (command === 'batch' && first !== undefined) await batch(rivulet, args);
  else if (command === 'follow' && first !== undefined) await follow(rivulet, first);
  else if (command === 'trending') await trending(rivulet, first);
  else if (command === 'publish' && first !== undefined && second !== undefined)
    await publish(rivulet, first, second, rest);
  else {
    console.error(USAGE);
    process.exitCode = 2;
  }
} catch (error) {
  if (!(error instanceof CallError)) throw error;
  console.error(`${error.status}: ${error.message}`);
  for (const { field, description } of error.violations) console.error(`  ${field}: ${description}`);
  process.exitCode = 1;
} finally {
  rivulet.close();
}
