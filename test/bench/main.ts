/**
 * `npm run bench [replay|memory|sparse|live|memory-live|ingest|recovery|takeover|nodes|snapshots|pauses|import|prequential|als|answers|answers-hybrid|http|trending|trending-stream …]`:
 * figures, never assertions. Without arguments, all. Of sparse, live, memory-live and ingest, after `--`, each of several by commas:
 *
 *   --rate 500,2000,10000   --chaining off,on   --partitions 4   --warm-up 30   --seconds 20   --users 300000   --minutes 5   --json
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchAls } from './als.js';
import { benchAnswers } from './answers.js';
import { benchHttp } from './http.js';
import { benchImport } from './import.js';
import { benchIngest } from './ingest.js';
import { benchLive } from './live.js';
import { megabytes, say } from './machine.js';
import type { Plan } from './measured-node.js';
import { benchMemoryLive } from './memory-live.js';
import { benchNodes } from './nodes.js';
import { benchPauses } from './pauses.js';
import { benchPrequential } from './prequential.js';
import { benchRecovery } from './recovery.js';
import { benchTakeover } from './takeover.js';
import { benchTrending } from './trending.js';
import { benchMemory, benchReplay, benchSnapshots } from './replay.js';
import { benchSparse } from './sparse.js';
import { benchTrendingStream } from './trending-stream.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '500,2000,10000' },
    chaining: { type: 'string', default: 'off,on' },
    partitions: { type: 'string', default: '4' },
    'warm-up': { type: 'string', default: '30' },
    seconds: { type: 'string', default: '20' },
    users: { type: 'string', default: '300000' },
    minutes: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const numbers = (name: 'rate' | 'partitions' | 'warm-up' | 'seconds' | 'users' | 'minutes'): number[] =>
  values[name].split(',').map((text) => {
    if (!(Number(text) > 0)) throw new Error(`--${name} takes numbers above 0, not ${values[name]}`);
    return Number(text);
  });
const one = (name: 'warm-up' | 'seconds' | 'users' | 'minutes'): number => numbers(name)[0]!;
const plans = (): Plan[] =>
  values.chaining.split(',').flatMap((chaining) => {
    if (chaining !== 'off' && chaining !== 'on') throw new Error(`--chaining takes off and on, not ${chaining}`);
    return numbers('partitions').map((partitions) => ({ partitions, chaining: chaining === 'on' }));
  });

const benches: Readonly<Record<string, () => Promise<void>>> = {
  replay: () => benchReplay(3),
  memory: () => benchMemory(),
  sparse: () => benchSparse(plans()),
  live: async () => {
    const stretches = { warmUpSeconds: one('warm-up'), seconds: one('seconds') };
    for (const plan of plans())
      for (const rate of numbers('rate')) await benchLive({ rate, ...plan, ...stretches }, values.json);
  },
  'memory-live': async () => {
    const of = { users: one('users'), minutes: one('minutes') };
    for (const plan of plans())
      for (const rate of numbers('rate')) await benchMemoryLive({ rate, ...plan, ...of }, values.json);
  },
  ingest: async () => {
    for (const plan of plans()) await benchIngest(one('users'), plan, values.json);
  },
  snapshots: () => benchSnapshots(5),
  recovery: async () => {
    for (const users of [100_000, 1_000_000]) await benchRecovery(users);
  },
  takeover: async () => {
    for (const users of [10_000, 100_000]) await benchTakeover(users);
  },
  nodes: () => benchNodes(300_000, 3),
  answers: () => benchAnswers(1_000_000, 'echo'),
  'answers-hybrid': () => benchAnswers(200_000, 'hybrid'),
  http: () => benchHttp(100_000),
  trending: () => benchTrending(),
  pauses: () => benchPauses(1_000_000, 2_000, 30),
  import: async () => {
    await benchImport({ events: 1_000_000, users: 6_000, order: 'user' });
    await benchImport({ events: 1_000_000, users: 40_000, order: 'time' });
    await benchImport({ events: 500_000, users: 400_000, order: 'time' });
  },
  prequential: () => benchPrequential(0.1),
  als: () => benchAls(),
  'trending-stream': async () => {
    for (const connections of [20, 2_000]) await benchTrendingStream(2_000, connections, 100, 15);
  },
};

const wanted = positionals.length > 0 ? positionals : Object.keys(benches);
if (!values.json)
  say(
    `machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${megabytes(totalmem())}, Node ${process.version}`,
  );
for (const name of wanted) {
  const bench = benches[name];
  if (bench === undefined) throw new Error(`no benchmark ${name}; there are ${Object.keys(benches).join(', ')}`);
  await bench();
}
