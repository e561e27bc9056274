/** What a stand-in node knows: items, lists, stages and refused events that look like those of a shop on a good day. */
import { seededRandom } from '../../actors/maths/random.js';

export type StandInItem = {
  readonly item_id: string;
  readonly title: string;
  readonly category: string;
  readonly brand: string;
  readonly price: number;
  views: number;
  clicks: number;
};

const TITLES: readonly (readonly [title: string, category: string, brand: string, price: number])[] = [
  ['Galaxy A55 128 GB, navy', 'electronics.smartphone', 'samsung', 379],
  ['AirPods Pro (2nd generation)', 'electronics.audio.headphone', 'apple', 249],
  ['ThinkPad T14 Gen 5', 'computers.notebook', 'lenovo', 1349],
  ['MX Master 3S mouse', 'computers.peripherals.mouse', 'logitech', 99.9],
  ['Serie 6 dishwasher, 60 cm', 'appliances.kitchen.dishwasher', 'bosch', 689],
  ['OLED evo C4 55″', 'electronics.video.tv', 'lg', 1199],
  ['City of Technic 42151', 'kids.toys', 'lego', 49.99],
  ['Pegasus 41 running shoe', 'apparel.shoes', 'nike', 129.95],
  ['501 Original jeans', 'apparel.jeans', 'levis', 89],
  ['Airfryer Essential XL', 'appliances.kitchen', 'philips', 119],
  ['Mountain bike Navigator 620', 'sport.bicycle', 'stels', 459],
  ['Redmi Note 13 Pro', 'electronics.smartphone', 'xiaomi', 289],
  ['WH-1000XM5 headphones', 'electronics.audio.headphone', 'sony', 329],
  ['ROG Strix 27″ monitor', 'computers.peripherals.monitor', 'asus', 549],
  ['Oak dining table, 180 cm', 'furniture.kitchen.table', 'hoff', 620],
  ['Corner sofa Malmö, left', 'furniture.living_room.sofa', 'brw', 899],
  ['Leather wallet, brown', 'accessories.wallet', 'fossil', 45],
  ['Storm umbrella', 'accessories.umbrella', 'knirps', 39.9],
  ['Cross-country ski set', 'sport.ski', 'fischer', 279],
  ['Jogging pram Joie', 'kids.carriage', 'chicco', 349],
  ['Watch Series 10', 'electronics.clocks', 'apple', 449],
  ['Tennis racket Speed MP', 'sport.tennis', 'head', 199],
  ['Nespresso Vertuo Pop', 'appliances.kitchen.coffee', 'tefal', 89],
  ['Rain jacket Watertight II', 'apparel.costume', 'columbia', 79.95],
];

export const EDGES = [
  ['events', 'parse', 'by source'],
  ['parse', 'watermark', 'by source'],
  ['watermark', 'window', 'by user'],
  ['watermark', 'popularity', 'popularity by item'],
  ['window', 'interest-ranking', 'by user'],
  ['interest-ranking', 'popularity-join', 'interests by user'],
  ['popularity', 'popularity-join', 'lists by all'],
  ['popularity-join', 'fallback', 'by user'],
  ['popularity', 'fallback', 'lists by all'],
  ['watermark', 'trending', 'engagements by item'],
  ['trending', 'trending-lists', 'tops by all'],
  ['fallback', 'recommendations', 'by user'],
  ['interest-ranking', 'recommendations', 'interactions by user'],
  ['popularity', 'recommendations', 'lists by all'],
  ['window', 'late', 'late by user'],
  ['parse', 'dead-letter', 'deadLetters by source'],
  ['items', 'parse-items', 'by source'],
  ['parse-items', 'watermark', 'by all'],
  ['parse-items', 'catalogue', 'by all'],
  ['watermark', 'catalogue', 'unknown by all'],
  ['parse-items', 'dead-letter', 'deadLetters by source'],
].map(([from = '', to = '', label = '']) => ({ from, to, label }));

const STAGES: Readonly<Record<string, number>> = {
  parse: 4,
  watermark: 4,
  window: 4,
  popularity: 4,
  'interest-ranking': 4,
  'popularity-join': 4,
  fallback: 4,
  trending: 4,
  'trending-lists': 1,
  recommendations: 4,
  'parse-items': 4,
  catalogue: 4,
};

const WITH_WATERMARK = new Set(['watermark', 'window', 'popularity', 'trending']);

const iso = (atMs: number): string => new Date(atMs).toISOString();

export class StandInShop {
  readonly random = seededRandom(7);
  readonly startedAtMs = Date.now() - 5_400_000;
  readonly items: StandInItem[] = TITLES.map(([title, category, brand, price], i) => {
    const views = Math.round(900 / (1 + i * 0.22));
    return {
      item_id: `item-${String(i * 37).padStart(4, '0')}`,
      title,
      category,
      brand,
      price,
      views,
      clicks: Math.round(views * 0.2),
    };
  });
  readonly retried = new Map<string, string>();
  readonly letters: Record<string, unknown>[] = [];
  revision = 1;
  events = 1_204_331;
  requests = 48_200;
  /** Events whose way to the lists was timed. */
  answered = 88_120;

  constructor() {
    for (let i = 0; i < 23; i++) this.refuse(i % 3, Date.now() - (i + 1) * 47_000);
  }

  get nowMs(): number {
    return Date.now();
  }

  refuse(kind: number, atMs: number): void {
    const faults = [
      { rule: 'price_negative', field: 'price', reason: 'price is -1: send 0 or more' },
      { rule: 'field_missing', field: 'item_id', reason: 'item_id is missing: name the item' },
      { rule: 'json_invalid', reason: 'not JSON: expected a comma or } at character 41' },
    ];
    const { rule, field, reason } = faults[kind % 3]!;
    const event = { event_type: 'view', event_time: iso(atMs), user_id: 'user-0042', item_id: 'item-0037', price: -1 };
    const { item_id: _, price: __, ...missing } = event;
    const original = [
      JSON.stringify(event),
      JSON.stringify(missing),
      '{"event_type":"view","user_id":"user-0042" "item_id"',
    ][kind % 3]!;
    const sequence = 1_204_331 + this.letters.length;
    this.letters.unshift({ id: `${sequence}-0`, stage: 'parse', rule, ...(field === undefined ? {} : { field }), reason, subject: 'rivulet.events.view', sequence, index: 0, stored_at: iso(atMs), original, original_bytes: Buffer.byteLength(original) }); // prettier-ignore
  }

  trending(n: number, category: string | null): Record<string, unknown>[] {
    return this.items
      .filter((item) => category === null || item.category.startsWith(category))
      .map((item) => ({ ...item, score: item.views + 2 * item.clicks, velocity: 0.2 }))
      .sort((a, b) => b.score - a.score || (a.item_id < b.item_id ? -1 : 1))
      .slice(0, n)
      .map((item, i) => ({ rank: i + 1, ...item }));
  }

  /** A moment goes by: some items are looked at, more of what is in fashion. */
  pass(): void {
    this.revision++;
    this.events += 2_300 + Math.round(this.random() * 700);
    this.answered += 2_000;
    this.requests += 500 + Math.round(this.random() * 200);
    for (const item of this.items) {
      const fashion = this.random() < 0.12 ? 26 : 3;
      item.views += Math.round(this.random() * fashion);
      item.clicks += Math.round(this.random() * fashion * 0.25);
    }
  }

  ranking(): Record<string, unknown> {
    return {
      judged: this.events,
      models: [
        { model: 'popular', hit_rate: 0.17 },
        { model: 'co-visitation', hit_rate: 0.307 },
        { model: 'hybrid', hit_rate: 0.413 },
      ],
      weights: [
        { feature: 'category', weight: 0.74 + this.revision / 100 },
        { feature: 'age', weight: -0.6 },
        { feature: 'new', weight: 0.01 },
      ],
      factors: null,
      experiment: {
        name: 'lists',
        arms: [
          {
            ...{
              arm: 'old',
              strategy: 'category-popularity',
              percent: 50,
              users: 900,
              impressions: 9_000,
              clicks: 270,
            },
            ...{ click_through_rate: 0.03, hit_rate: 0.21, p_value: null },
          },
          {
            ...{ arm: 'new', strategy: 'hybrid', percent: 50, users: 910, impressions: 9_100, clicks: 455 },
            ...{ click_through_rate: 0.05, hit_rate: 0.34, p_value: 0.004 },
          },
        ],
      },
    };
  }

  /** Those of its category; of the last item none. */
  similar(item: string, n: number): Record<string, unknown> {
    const of = this.items.find(({ item_id: id }) => id === item)!;
    const others = this.items.filter((one) => one !== of && one.category === of.category);
    const items = (of === this.items.at(-1) ? [] : others)
      .slice(0, n)
      .map(({ views: _, clicks: __, ...one }, i) => ({ rank: i + 1, ...one, score: 0.9 - i / 10 }));
    return { item_id: item, count: items.length, items };
  }

  recommend(user: string, n: number, category: string | null, strategy: string): Record<string, unknown> {
    const items = this.items
      .filter((item) => category === null || item.category.startsWith(category))
      .slice(0, n)
      .map(({ views: _, clicks: __, ...item }, i) => {
        const main = item.category.split('.')[0]!;
        const interest = 9 - Math.floor(i / 3);
        const isPopular = user === 'nobody' || i > 7;
        return {
          rank: i + 1,
          ...item,
          score: isPopular ? 0.1 : Math.round((interest * (240 - i * 17)) / 10) / 10,
          type: isPopular ? 'streaming_popular_fallback' : 'streaming_category_popularity',
          ...(strategy === 'hybrid' ? { contributions: [{ source: 'co-visitation', share: 0.45 }] } : {}),
          reason: isPopular ? 'bought most of all' : `interest in ${main} is ${interest}, ${240 - i * 17} were bought`,
        };
      });
    return {
      user_id: user,
      is_random: false,
      count: items.length,
      as_of: iso(this.nowMs - 600_000),
      model: 'streaming',
      strategy,
      arm: 'lists/new',
      items,
    };
  }

  status(): Record<string, unknown> {
    const now = this.nowMs;
    const stages = Object.entries(STAGES).map(([stage, partitions], s) => ({
      stage,
      partitions: Array.from({ length: partitions }, (_, partition) => {
        const isBackingOff = stage === 'trending' && partition === 2;
        const isRestoring = stage === 'fallback' && partition === 1;
        return {
          partition,
          state: isBackingOff ? 'backoff' : isRestoring ? 'restoring' : 'running',
          messages_in: Math.round(this.events / (partitions * (s + 1))) + partition * 11,
          rows_out: Math.round(this.events / partitions) * 2,
          busy_seconds: 120.5,
          lag_messages: isBackingOff ? 1_420 : Math.round(this.random() * 4),
          lag_seconds: isBackingOff ? 14.2 : 0.01,
          ...(WITH_WATERMARK.has(stage)
            ? { watermark: iso(now - (stage === 'trending' ? 7_200_000 : 600_000) - partition * 1_000) }
            : {}),
          restarts: isBackingOff ? 3 : 0,
          ...(isBackingOff
            ? { last_error: 'TransientError: NATS did not answer within 5000 ms; next try in 4 s' }
            : {}),
          state_keys: 10_240 + partition * 31,
          snapshots: 88,
          snapshot_seconds: 1.9,
          snapshot_bytes: 1_840_000,
        };
      }),
    }));
    const instances = stages.flatMap(({ stage, partitions }) =>
      partitions.map((one) => ({ ...one, name: `${stage}.${one.partition}` })),
    );
    const shards = [0, 1, 2, 3].map((partition) => ({
      ...{ name: `user-${partition}`, state: 'running', restarts: 0 },
      instances: instances
        .filter((instance) => instance.partition === partition)
        .map(({ name, state, restarts, last_error }) => ({ name, state, restarts, last_error })),
    }));
    const supervision = [
      { level: 'server', name: 'nats-server', state: 'running', restarts: 0, shards: [] },
      { level: 'thread', name: 'worker-0', state: 'running', restarts: 0, shards },
    ];
    const wave = 1 + 0.25 * Math.sin(now / 9_000);
    return {
      version: '0.1.0',
      subject: 'items',
      node: 'n-7f3a',
      now: iso(now),
      started_at: iso(this.startedAtMs),
      serving: true,
      reasons: [],
      as_of: iso(now - 600_000),
      partitions: 4,
      edges: EDGES,
      chains: [],
      ...{ stages, supervision },
      counters: { events: this.events, on_time: this.events - 1_871 - this.letters.length, late: 1_204, dead_letter: this.letters.length, duplicates: 667 }, // prettier-ignore
      latency: {
        p50_seconds: 0.014 * wave,
        p99_seconds: 0.047 * wave * (0.9 + this.random() / 5),
        count: this.answered,
      },
      requests: { http_total: Math.round(this.requests / 4), grpc_total: this.requests },
      answers: { count: 1_204, fallback: 144, empty: 0 },
    };
  }

  late(): Record<string, unknown>[] {
    return this.items.slice(0, 14).map((item, i) => ({
      id: `late-${i}`,
      user_id: `user-${1000 + i * 7}`,
      item_id: item.item_id,
      event_type: ['view', 'cart', 'click'][i % 3],
      category: item.category,
      price: item.price,
      window_start: iso(this.nowMs - 3_600_000),
      window_end: iso(this.nowMs - 3_300_000),
      stored_at: iso(this.nowMs - i * 61_000),
    }));
  }
}
