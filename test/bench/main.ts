/** `npm run bench [replay|memory|live|recovery|takeover|nodes|snapshots|pauses|import|prequential|answers|http|trending|trending-stream …]`: figures, never assertions. Without arguments, all. */
import { cpus, totalmem } from 'node:os';
import { benchAnswers } from './answers.js';
import { benchHttp } from './http.js';
import { benchImport } from './import.js';
import { benchLive } from './live.js';
import { megabytes, say } from './machine.js';
import { benchNodes } from './nodes.js';
import { benchPauses } from './pauses.js';
import { benchPrequential } from './prequential.js';
import { benchRecovery } from './recovery.js';
import { benchTakeover } from './takeover.js';
import { benchTrending } from './trending.js';
import { benchMemory, benchReplay, benchSnapshots } from './replay.js';
import { benchTrendingStream } from './trending-stream.js';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  replay: () => benchReplay(3),
  memory: () => benchMemory(),
  live: () => benchLive(2_000, 30),
  snapshots: () => benchSnapshots(5),
  recovery: async () => {
    for (const users of [100_000, 1_000_000]) await benchRecovery(users);
  },
  takeover: async () => {
    for (const users of [10_000, 100_000]) await benchTakeover(users);
  },
  nodes: () => benchNodes(300_000, 3),
  answers: () => benchAnswers(1_000_000),
  http: () => benchHttp(100_000),
  trending: () => benchTrending(),
  pauses: () => benchPauses(1_000_000, 2_000, 30),
  import: async () => {
    await benchImport({ events: 1_000_000, users: 6_000, order: 'user' });
    await benchImport({ events: 1_000_000, users: 40_000, order: 'time' });
    await benchImport({ events: 500_000, users: 400_000, order: 'time' });
  },
  prequential: () => benchPrequential(0.1),
  'trending-stream': async () => {
    for (const connections of [20, 2_000]) await benchTrendingStream(2_000, connections, 100, 15);
  },
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches);
say(`machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${megabytes(totalmem())}, Node ${process.version}`);
for (const name of wanted) {
  const bench = benches[name];
  if (bench === undefined) throw new Error(`no benchmark ${name}; there are ${Object.keys(benches).join(', ')}`);
  await bench();
}
