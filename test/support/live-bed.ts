/** nats-servers and nodes for the tests of one file: shown when a test fails, gone at the end of the file, when no process may be left. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, expect } from 'vitest';
import { workingDirectory } from '../cli/run-cli.js';
import { processesOn } from './blows.js';
import { LiveNode } from './live-nodes.js';
import { startTestNats, type TestNats } from './nats.js';
import { PURCHASES_ALONE } from './purchases-alone.js';

const SHOWN_NODES = 2;

export interface LiveBed {
  readonly cwd: string;
  /** Of this test alone: one that failed before has left nothing here. */
  readonly place: string;
  server(): Promise<TestNats>;
  /** Not started yet. */
  node(name: string, nats: { readonly url: string }, more?: readonly string[]): Promise<LiveNode>;
}

/** `flags`: of each node, beside those that make lists comparable (purchases-alone.ts). */
export function liveBed(flags: readonly string[]): LiveBed {
  const { cwd, remove } = workingDirectory();
  let place = cwd;
  const nodes: LiveNode[] = [];
  const servers: TestNats[] = [];
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
    await Promise.all(servers.map((server) => server.stop()));
    expect(await processesOn(cwd)).toEqual([]);
    remove();
  });
  beforeEach(({ onTestFailed }) => {
    place = mkdtempSync(join(cwd, 'test-'));
    onTestFailed(async () => {
      for (const node of nodes.slice(-SHOWN_NODES)) console.error(node.said);
      await Promise.all(nodes.map((node) => node.kill()));
    });
  });
  return {
    cwd,
    get place() {
      return place;
    },
    server: async () => {
      const server = await startTestNats();
      servers.push(server);
      return server;
    },
    node: async (name, { url }, more = []) => {
      const node = await LiveNode.of(place, name, ['--nats-url', url, ...PURCHASES_ALONE, ...flags, ...more]);
      nodes.push(node);
      return node;
    },
  };
}
