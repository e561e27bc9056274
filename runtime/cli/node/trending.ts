/** `rivulet trending`: the trending list for people, once or live. */
import type { CallError } from '../../../connectors/grpc/client/call-error.js';
import type { RivuletClient, TrendingRequest } from '../../../connectors/grpc/client/client.js';
import { systemClock } from '../../contract/clock.js';
import { EXIT } from '../exit.js';
import { type LinkOptions, withNode } from '../node-link.js';
import { hasScreen, Screen } from '../screen.js';
import { duration } from '../terminal.js';
import { Board, changeOf, lineOf, listOf, type Listing, pageOf, textOf, WINDOWS } from './trending-view.js';

export interface TrendingOptions extends LinkOptions {
  readonly window: '1h' | '24h' | 'last-hour';
  readonly ranking: 'score' | 'velocity' | 'decayed';
  readonly category?: string;
  readonly number: number;
  readonly follow?: true;
  readonly json?: true;
}

const DEADLINE_MS = 5_000;
/** Marks fade and terminals are resized without a message from the node. */
const REDRAW_EVERY_MS = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

export async function trending(options: TrendingOptions): Promise<number> {
  const listing: Listing = { window: options.window, ranking: options.ranking, category: options.category };
  const request: TrendingRequest = {
    window: WINDOWS[options.window],
    ranking: options.ranking,
    limit: options.number,
    ...(options.category === undefined ? {} : { category: options.category }),
  };
  const asJson = options.json === true;
  await withNode(options, (client) =>
    options.follow === true ? follow(client, request, listing, asJson) : once(client, request, listing, asJson),
  );
  return EXIT.ok;
}

async function once(client: RivuletClient, request: TrendingRequest, listing: Listing, asJson: boolean): Promise<void> {
  for await (const update of client.streamTrending(request, { deadlineMs: DEADLINE_MS, reconnect: false })) {
    say(asJson ? JSON.stringify(listOf(listing, update), undefined, 2) : textOf(listing, update));
    return;
  }
}

/** Until it is stopped. */
async function follow(
  client: RivuletClient,
  request: TrendingRequest,
  listing: Listing,
  asJson: boolean,
): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const screen = !asJson && hasScreen(process.stdout) ? new Screen(process.stdout) : undefined;
  const board = new Board();
  const draw = (): void => screen?.draw(pageOf(listing, board, systemClock.nowMs()));
  const redrawing = setInterval(() => board.latest && draw(), REDRAW_EVERY_MS);
  const onInterrupted = ({ reason, message }: CallError, retryMs: number): void => {
    // The library's message for a refused connection is long; a node that responds gives a reason itself.
    const news = `${reason === undefined ? 'the node is unreachable' : message}; trying again in ${duration(retryMs)}`;
    if (screen === undefined) process.stderr.write(`warning: ${news}\n`);
    board.tell(news, systemClock.nowMs(), retryMs);
    draw();
  };
  try {
    for await (const update of client.streamTrending(request, { signal: stop.signal, onInterrupted })) {
      board.take(update, systemClock.nowMs());
      if (screen !== undefined) draw();
      else say(asJson ? lineOf(listing, update) : `${changeOf(listing, update)}\n`);
    }
  } catch (error) {
    // A stop during a stream is not a failure.
    if (!stop.signal.aborted) throw error;
  } finally {
    clearInterval(redrawing);
    screen?.leave();
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}
