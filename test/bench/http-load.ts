/** Asks one HTTP server, from a process of its own: URL, file with a path per line, connections, seconds, rate (0: as fast as it answers). */
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';

/** One line of JSON on stdout; latencies in ms. */
export interface HttpLoad {
  readonly rps: number;
  readonly p99Ms: number;
  readonly failed: number;
}

const [url = '', file = '', connections = '', seconds = '', rate = ''] = process.argv.slice(2);
const paths = readFileSync(file, 'utf8').split('\n');
const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(seconds),
  // It sends a second's requests in bursts; to correct that for what it did not send would measure itself.
  ...(Number(rate) > 0 ? { overallRate: Number(rate), ignoreCoordinatedOmission: true } : {}),
  requests: paths.map((path) => ({ method: 'GET' as const, path })),
});
const load: HttpLoad = {
  rps: result.requests.average,
  p99Ms: result.latency.p99,
  failed: result.errors + result.timeouts + result.non2xx,
};
process.stdout.write(`${JSON.stringify(load)}\n`);
