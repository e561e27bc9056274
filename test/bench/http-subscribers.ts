/** Subscribers of /trending/stream, in a process of their own: URL, how many. A line when all have their list, one when stdin ends. */
import { Agent, get } from 'node:http';

const [url = '', count = ''] = process.argv.slice(2);
const wanted = Number(count);
const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
let [have, events] = [0, 0];
for (let n = 0; n < wanted; n++) {
  const request = get(url, { agent }, (response) => {
    let isFirst = true;
    response.setEncoding('utf8').on('data', (text: string) => {
      const told = text.split('\nevent: ').length - 1 + (text.startsWith('event: ') ? 1 : 0);
      events += told;
      if (!isFirst || told === 0) return;
      isFirst = false;
      if (++have === wanted) process.stdout.write('ready\n');
    });
  });
  request.on('error', (error) => {
    console.error(error);
    process.exit(1);
  });
}
const startedMs = performance.now();
process.stdin.resume().on('end', () => {
  const perSecond = (events - wanted) / ((performance.now() - startedMs) / 1000);
  process.stdout.write(`${Math.round(perSecond)} events/s told to them\n`);
  process.exit(0);
});
