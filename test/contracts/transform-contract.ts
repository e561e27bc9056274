/** What every Log does with what publishers send (runtime/contract/ports.ts, StreamSpec.transform, deployment and messageBytesMax). Run on JetStream and on the in-memory double. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fnv1a, utf8 } from '../../runtime/frames/bytes.js';
import type { Log, StreamSpec } from '../../runtime/contract/ports.js';
import { type LogBed, takeAll } from './log-contract.js';

const SPEC = { name: 'RIVULET_TRANSFORM', bytesMax: 64 * 1024 * 1024, dropsOldest: false, replicas: 1 };
const root = 'rivulet.transform';

export function transformContract(name: string, makeBed: () => Promise<LogBed>): void {
  describe(`transforms: ${name}`, () => {
    let bed: LogBed;
    let log: Log;

    beforeAll(async () => {
      bed = await makeBed();
      log = bed.log;
    });
    afterAll(() => bed.stop());
    beforeEach(async () => {
      await bed.deleteStream(SPEC.name).catch(() => undefined);
    });

    it('takes on, changes and loses a transform', async () => {
      const subjects = [`${root}.>`, `${root}in.>`];
      const arrivesAs = async (to: string | undefined): Promise<string> => {
        const transform =
          to === undefined ? {} : { transform: { from: `${root}in.*`, to: `${root}.${to}.{{wildcard(1)}}` } };
        await log.ensureStream({ ...SPEC, subjects, ...transform });
        const sequence = await log.publish(`${root}in.a`, utf8('x'));
        const reader = await log.read(SPEC.name, { filters: ['>'], from: sequence });
        return (await takeAll(reader, 1))[0]!.subject;
      };
      expect(await arrivesAs('p')).toBe(`${root}.p.a`);
      expect(await arrivesAs('q')).toBe(`${root}.q.a`);
      expect(await arrivesAs(undefined)).toBe(`${root}in.a`);
    });

    it('has the record of its deployment, until a spec brings another', async () => {
      const made = async (spec: Partial<StreamSpec>): Promise<string | undefined> => {
        await log.ensureStream({ ...SPEC, subjects: [`${root}.>`], ...spec });
        return (await log.info(SPEC.name)).deployment;
      };
      expect(await made({})).toBeUndefined();
      expect(await made({ deployment: 'three' })).toBe('three');
      expect(await made({ bytesMax: 1_000_000 })).toBe('three');
      expect(await made({ deployment: 'two' })).toBe('two');
    });

    it('refuses messages above the stream’s own limit as Poison LOG_MESSAGE_SIZE, and takes on another limit', async () => {
      const publish = (bytes: number): Promise<number> => log.publish(`${root}.a`, new Uint8Array(bytes));
      const refused = { reaction: 'poison', code: 'LOG_MESSAGE_SIZE' };
      await log.ensureStream({ ...SPEC, subjects: [`${root}.>`], messageBytesMax: 1_000 });
      expect(await publish(1_000)).toBe(1);
      await expect(publish(1_001)).rejects.toMatchObject(refused);
      await log.ensureStream({ ...SPEC, subjects: [`${root}.>`], messageBytesMax: 2_000 });
      expect(await publish(1_001)).toBe(2);
      await log.ensureStream({ ...SPEC, subjects: [`${root}.>`] });
      expect(await publish(100_000)).toBe(3);
    });

    it('spreads publishers’ subjects over partitions by FNV-1a, inside the log', async () => {
      await log.ensureStream({
        ...SPEC,
        subjects: [`${root}.>`, `${root}in.>`],
        transform: { from: `${root}in.*.*`, to: `${root}.{{partition(3,2)}}.events.{{wildcard(1)}}.{{wildcard(2)}}` },
      });
      const users = ['1', '2', '17', 'u-42', 'Zoë', 'x'.repeat(40)];
      for (const user of users) await log.publish(`${root}in.view.${user}`, utf8(user));
      await log.publish(`${root}in.view`, utf8('no user'));
      const messages = await takeAll(await log.read(SPEC.name, { filters: [`${root}.>`], from: 1 }), users.length);
      expect(messages.map(({ subject }) => subject)).toEqual(
        users.map((user) => `${root}.${fnv1a(utf8(user)) % 3}.events.view.${user}`),
      );
      const plain = await log.read(SPEC.name, { filters: [`${root}in.>`], from: 1 });
      expect((await takeAll(plain, 1))[0]!.subject).toBe(`${root}in.view`);
    });
  });
}
