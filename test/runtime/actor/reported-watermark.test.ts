/** The watermark that an instance shows: the one that it was told, or, where it is made, the one that was last told to others. */
import { expect, it } from 'vitest';
import { mainTopology } from '../../../actors/topology.js';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { ActorBed } from './actor-bed.js';

const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
const options = { ...pipelineOptions(config), trigger: { kind: 'frame' } as const, watermarkDelayMs: 60_000 };
const viewed = (atMs: number): string =>
  JSON.stringify({ event_type: 'view', event_time: new Date(atMs).toISOString(), user_id: 'u', item_id: 'i' });

it('is that of the last rows at the stage that makes it, and none before it', async () => {
  const bed = await ActorBed.make(mainTopology(options));
  const at = bed.clock.nowMs();
  const parse = bed.start('parse');
  const watermark = bed.start('watermark');
  await bed.log.publish('rivulet.events.view.u', utf8(viewed(at)));
  await bed.quiet();
  expect(watermark.status.watermarkMs).toBe(at - 60_000);
  await bed.log.publish('rivulet.events.view.u', utf8(viewed(at + 5_000)));
  await bed.quiet();
  expect([parse.status.watermarkMs, watermark.status.watermarkMs]).toEqual([null, at - 55_000]);
});
