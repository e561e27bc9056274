/** `rivulet get`: recommendations for people. */
import type { Recommendations } from '../../../connectors/grpc/client/client.js';
import { type LinkOptions, withNode } from '../node-link.js';
import { harmless, instant, table } from '../terminal.js';

export interface GetOptions extends LinkOptions {
  readonly number: number;
  readonly category?: string;
  readonly excludeSeen?: true;
  readonly explain?: true;
  readonly strategy?: string;
  readonly json?: true;
}

export async function get(userId: string, options: GetOptions): Promise<void> {
  const { number, category = '', excludeSeen = false, explain = false, strategy = '' } = options;
  const request = { userId, limit: number, category, excludeSeen, explain, strategy };
  const answer = await withNode(options, (client) => client.getRecommendations(request));
  process.stdout.write(
    `${options.json === true ? asJson(answer) : asText(answer, explain, category !== '' || excludeSeen)}\n`,
  );
}

function asJson({ userId, items, asOfMs, staleMs, model, strategy, arm }: Recommendations): string {
  const document = {
    user_id: userId,
    items: items.map(({ itemId, rank, score, category, type, reason, title, brand, price, contributions }) => ({
      ...{ item_id: itemId, rank, score, category, type, reason, title, brand, price },
      ...(contributions === undefined || contributions.length === 0 ? {} : { contributions }),
    })),
    as_of: asOfMs === undefined ? null : new Date(asOfMs).toISOString(),
    stale: staleMs !== undefined,
    ...(staleMs === undefined ? {} : { age_seconds: staleMs / 1000 }),
    model,
    strategy,
    arm,
  };
  return JSON.stringify(document, undefined, 2);
}

function asText(
  { userId, items, asOfMs, staleMs, model, arm }: Recommendations,
  explain: boolean,
  isFiltered: boolean,
): string {
  const about = `${harmless(userId)}   as of ${instant(asOfMs)}   model ${model}${arm === undefined ? '' : `   arm ${harmless(arm)}`}`;
  const head = staleMs === undefined ? about : `${about}\n${staleNote(staleMs)}`;
  if (items.length === 0) {
    return asOfMs === undefined
      ? `${head}\n\nNothing yet: the node has not seen an event.`
      : `${head}\n\nNo recommendations${isFiltered ? ': no popular item passes the filters' : ' yet'}.`;
  }
  const hasTitles = items.some(({ title }) => title !== undefined);
  const rows = items.map(({ rank, itemId, score, category, type, title, reason }) => [
    ...[String(rank), harmless(itemId), ...(hasTitles ? [harmless(title ?? '')] : []), score.toPrecision(4)],
    ...[harmless(category ?? '–'), type, ...(explain ? [harmless(reason ?? '')] : [])],
  ]);
  const header = [
    '#',
    'ITEM',
    ...(hasTitles ? ['TITLE'] : []),
    'SCORE',
    'CATEGORY',
    'TYPE',
    ...(explain ? ['WHY'] : []),
  ];
  return `${head}\n\n${table(header, rows, new Set([0, hasTitles ? 3 : 2]))}`;
}

const staleNote = (staleMs: number): string =>
  `STALE: for ${Math.round(staleMs / 1000)} s the node has received no updates for this user (see rivulet doctor)`;
