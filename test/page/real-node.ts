/** A real node for the tests of the page: `rivulet start` on a nats-server of its own; events come by NATS, as in a shop. */
import { connect } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import { workingDirectory } from '../cli/run-cli.js';
import { freePort, LiveNode } from '../support/live-nodes.js';
import { startTestNats } from '../support/nats.js';
import type { PageNode } from './page-node.js';

export async function realNode(): Promise<PageNode> {
  const undo: (() => Promise<unknown> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const { cwd, remove } = workingDirectory();
    undo.push(remove);
    const nats = await startTestNats();
    undo.push(() => nats.stop());
    const port = await freePort();
    const node = await LiveNode.of(cwd, 'node', ['--nats-url', nats.url, '--http-port', String(port)]);
    undo.push(() => node.kill());
    await node.start();
    const connection = await connect({ servers: nats.url });
    undo.push(() => connection.close());
    const stream = jetstream(connection);
    return {
      url: `http://127.0.0.1:${port}`,
      publish: async (events) => {
        for (const event of events) {
          const body = typeof event === 'string' ? event : JSON.stringify(event);
          await stream.publish('rivulet.events.page', body);
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
