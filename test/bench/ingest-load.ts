/** Load of `bench ingest`, in a process of its own: an event of each user, as fast as they are stored. Arguments: URL, users, prefix of the ids. */
import { connect } from '@nats-io/transport-node';
import { eventOf, publishLines } from './fleet.js';

const [url = '', users = '0', prefix = ''] = process.argv.slice(2);
const connection = await connect({ servers: url });
await publishLines(connection, Number(users), (n) => eventOf(`${prefix}-${n}`, n, n, Date.now()));
await connection.close();
process.stdout.write(
  `${JSON.stringify({ cpuSeconds: (process.cpuUsage().user + process.cpuUsage().system) / 1e6 })}\n`,
);
