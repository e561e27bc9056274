/** From emissions to messages (ROUTER-1–ROUTER-3). */
import { createHash } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { NEVER } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Envelope, EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fnv1a, utf8 } from '../../../runtime/frames/bytes.js';
import { type Frame, frameOf, rowsOf } from '../../../runtime/frames/frame.js';
import { decodeFrame } from '../../../runtime/frames/codec.js';
import { defineTopology, destinationsOf, edge, source, topic } from '../../../runtime/contract/graph.js';
import { OutputBatch } from '../../../runtime/actor/router.js';
import { deadLetters, type FrameType, frameType, input, stage } from '../../../runtime/contract/stage.js';
import { NO_OUTPUT, type OutputPosition } from '../../../runtime/actor/output-position.js';
import { Traces } from '../../../runtime/actor/traces.js';

const rows = frameType('rows', { user: 'text', text: 'text', n: 'f64' });
const spec = { version: 1, state: {}, outputs: { rows, broad: rows }, pipeline: () => NEVER } as const;
const [a, b, c] = [
  stage({ ...spec, id: 'a', key: 'user', inputs: { rows: input(rows) } }),
  stage({ ...spec, id: 'b', key: 'user', inputs: { rows: input(rows) } }),
  stage({ ...spec, id: 'c', key: 'item', inputs: { rows: input(rows), broad: input(rows) } }),
];
const letters = stage({
  ...spec,
  id: 'd',
  key: 'source',
  inputs: { rows: input(rows) },
  outputs: { bad: deadLetters },
});
const bad = topic('dead-letter', deadLetters, 'source', { browsable: true });
const topology = defineTopology({
  partitions: { source: 1, user: 2, item: 3 },
  stages: [a, b, c, letters],
  topics: [bad],
  edges: [
    ...[a, letters].map((one) => edge(source('events'), one.in.rows, { by: 'user' })),
    edge(a.out.rows, b.in.rows, { by: 'user' }),
    edge(a.out.rows, c.in.rows, { by: 'user' }),
    edge(a.out.broad, c.in.broad, { by: 'all' }),
    edge(letters.out.bad, bad.in.rows, { by: 'source' }),
  ],
  aligned: new Set(),
});
const destinations = destinationsOf(topology, 'a', 1);
const HEAD = { first: 7, sequence: 9, inputsDigest: 2, asOfMs: 5, ingestedAtMs: 3, holdsBack: false };

interface Posted {
  readonly tag: OutputPosition;
  readonly bytes: number;
  readonly digest: string;
  readonly envelope: Envelope;
  readonly rows: readonly unknown[];
}

/** What instance a/1 posts, by destination, where so much was said before. */
function post(
  fill: (answer: OutputBatch) => void,
  published: Readonly<Record<string, OutputPosition>> = {},
): Record<string, Posted[]> {
  const answer = new OutputBatch(topology.routes('a'), 'a', 1, 4, new Traces(topology, topology.stage('a'), 1));
  fill(answer);
  const posted: Record<string, Posted[]> = {};
  const lines = destinations.map(({ subject }) => {
    const enqueue = (tag: OutputPosition, data: Uint8Array): void => {
      const envelope = fromBinary(EnvelopeSchema, data);
      const type: FrameType = envelope.output === '$poison' ? deadLetters : rows;
      const frame = envelope.body.case === 'frame' ? decodeFrame(envelope.body.value, type) : undefined;
      (posted[subject] ??= []).push({
        tag,
        bytes: data.length,
        digest: createHash('sha1').update(data).digest('hex'),
        envelope,
        rows: frame === undefined ? [] : rowsOf(frame),
      });
    };
    return [subject, { published: published[subject] ?? NO_OUTPUT, enqueue }] as const;
  });
  answer.enqueueTo(HEAD, new Map(lines));
  return posted;
}

const frame = (...users: readonly string[]): Frame =>
  frameOf(
    rows,
    users.map((user, n) => ({ user, n })),
  );
const [toB, toC] = ['rivulet.b.1.a.1', (q: number): string => `rivulet.c.${q}.a.1`];
const partitionOf = (user: string): number => fnv1a(utf8(user)) % 3;

describe('routes', () => {
  it('keep rows at their number where both are keyed alike, and spread them by hash elsewhere', () => {
    const posted = post((answer) => {
      answer.add([{ output: 'rows', frame: frame('u0', 'u1', 'u2', 'u3') }]);
    });
    expect(posted[toB]!.flatMap((one) => one.rows)).toHaveLength(4);
    for (const q of [0, 1, 2]) {
      const users = (posted[toC(q)] ?? []).flatMap((one) => one.rows.map((row) => (row as { user: string }).user));
      expect(users).toEqual(['u0', 'u1', 'u2', 'u3'].filter((user) => partitionOf(user) === q));
    }
  });

  it('give all of it to all, and nothing where there is nothing, unless it is for everybody', () => {
    expect(
      Object.keys(
        post((answer) => {
          answer.add([{ output: 'broad', frame: frame('u') }]);
        }),
      ),
    ).toEqual([0, 1, 2].map(toC));
    expect(
      post((answer) => {
        answer.add([{ output: 'rows', frame: frame() }]);
      }),
    ).toEqual({});
    const everywhere = post((answer) => {
      answer.add([{ output: 'rows', frame: frame(), progress: { everywhere: true, watermarkMs: 11, idle: true } }]);
    });
    expect(Object.keys(everywhere).sort()).toEqual([toB, toC(0), toC(1), toC(2)]);
    expect(everywhere[toB]![0]!.envelope).toMatchObject({ watermarkMs: 11, idle: true, body: { case: undefined } });
  });

  it('tag every message with the inputs that it answers, and what travels with them', () => {
    const [message] = post((answer) => {
      answer.add([{ output: 'rows', frame: frame('u') }]);
    })[toB]!;
    expect(message!.envelope).toMatchObject({
      ...HEAD,
      part: 0,
      lastPart: true,
      epoch: 4,
      endsEpoch: false,
      output: 'rows',
    });
    expect(message!.tag).toEqual({ first: 7, sequence: 9, part: 0, lastPart: true, inputsDigest: 2 });
  });

  it('carry quarantined messages to the dead letters of the same partition', () => {
    const posted = post((answer) => {
      answer.addDeadLetter(frameOf(deadLetters, [{ original: 'x' }]));
    });
    expect(posted['rivulet.dead-letter.1.a.1']).toMatchObject([{ rows: [{ original: 'x' }] }]);
  });
});

describe('parts', () => {
  const wide = (count: number, bytes: number): Frame =>
    frameOf(
      rows,
      Array.from({ length: count }, (_, n) => ({ user: `u${n % 5}`, text: `${n}`.padStart(bytes, 'x'), n })),
    );

  it('are small enough for a message, and together complete, in order (ROUTER-1)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 5, max: 200_000 }), (count, bytes) => {
        const whole = wide(count, bytes);
        const messages = post((answer) => {
          answer.add([{ output: 'rows', frame: whole }]);
        })[toB]!;
        expect(messages.flatMap((one) => one.rows)).toEqual(rowsOf(whole));
        expect(messages.map(({ tag }) => tag.part)).toEqual(messages.map((_, part) => part));
        expect(messages.map(({ tag }) => tag.lastPart)).toEqual(
          messages.map((_, part) => part === messages.length - 1),
        );
        for (const { bytes: size, rows: own } of messages) if (own.length > 1) expect(size).toBeLessThan(1024 * 1024);
      }),
      { numRuns: 15 },
    );
  });

  it('that were published are left out, the rest is unchanged (ROUTER-2)', () => {
    const fill = (answer: OutputBatch): void => {
      answer.add([{ output: 'rows', frame: wide(12, 200_000) }]);
    };
    const all = post(fill)[toB]!;
    expect(all.length).toBeGreaterThan(3);
    for (let part = 0; part < all.length; part++) {
      const published: OutputPosition = {
        first: 7,
        sequence: 9,
        part,
        lastPart: part === all.length - 1,
        inputsDigest: 2,
      };
      const rest = post(fill, { [toB]: published })[toB] ?? [];
      expect(rest.map(({ digest }) => digest)).toEqual(all.slice(part + 1).map(({ digest }) => digest));
    }
    expect(post(fill, { [toB]: { ...NO_OUTPUT, first: 10, sequence: 12, lastPart: false } })[toB]).toBeUndefined();
    expect(post(fill, { [toB]: { ...NO_OUTPUT, first: 1, sequence: 8 } })[toB]).toHaveLength(all.length);
  });

  it('leave out per destination what was published there: others get theirs', () => {
    const published = { [toB]: { ...NO_OUTPUT, first: 7, sequence: 9 } };
    const posted = post((answer) => {
      answer.add([{ output: 'rows', frame: frame('u0') }]);
    }, published);
    expect(Object.keys(posted)).toEqual([toC(partitionOf('u0'))]);
  });
});

describe('marks', () => {
  const ends = (posted: Record<string, Posted[]>): Record<string, unknown[]> =>
    Object.fromEntries(
      Object.entries(posted).map(([subject, messages]) => [
        subject,
        messages.map(
          ({ envelope, rows: own }) =>
            `${envelope.epoch}${envelope.endsEpoch ? ' ends' : ''}${envelope.endsInput ? ' all' : ''} ${own.length}`,
        ),
      ]),
    );

  it('of an end of epoch are on the last part that each destination gets for it (ROUTER-3)', () => {
    const posted = post((answer) => {
      answer.add([
        { output: 'rows', frame: frame('u0') },
        { output: 'broad', frame: frame('x', 'y') },
      ]);
      answer.mark(destinations, { epochs: 1 });
      answer.epoch = 5;
      answer.add([{ output: 'broad', frame: frame('z') }]);
      answer.mark(destinations, { epochs: 1 });
      answer.epoch = 6;
      answer.mark(destinations, { endsInput: true });
    });
    const mine = partitionOf('u0');
    const expected = Object.fromEntries(
      [0, 1, 2].map((q) => [toC(q), [...(q === mine ? ['4 1'] : []), '4 ends 2', '5 ends 1', '6 all 0']]),
    );
    expect(ends(posted)).toEqual({ ...expected, [toB]: ['4 ends 1', '5 ends 0', '6 all 0'] });
    for (const messages of Object.values(posted))
      expect(messages.map(({ tag }) => tag.lastPart)).toEqual(messages.map((_, i) => i === messages.length - 1));
  });

  it('of an epoch whose frame is cut are on the last piece alone', () => {
    const large = frameOf(
      rows,
      Array.from({ length: 6 }, (_, n) => ({ user: 'u', text: `${n}`.repeat(300_000), n })),
    );
    const messages = post((answer) => {
      answer.add([{ output: 'rows', frame: large }]);
      answer.mark(destinations, { epochs: 1, endsInput: true });
    })[toB]!;
    expect(messages.length).toBeGreaterThan(2);
    const last = messages.length - 1;
    expect(messages.map(({ envelope }) => [envelope.endsEpoch, envelope.endsInput])).toEqual(
      messages.map((_, i) => [i === last, i === last]),
    );
  });

  it('do not go to the dead letters of a stage that publishes none itself', () => {
    const posted = post((answer) => {
      answer.mark(destinations, { epochs: 1 });
    });
    expect(Object.keys(posted).sort()).toEqual([toB, toC(0), toC(1), toC(2)]);
  });

  it('of a tick stand alone, behind what was before', () => {
    const messages = post((answer) => {
      answer.add([{ output: 'rows', frame: frame('u') }]);
      answer.mark(destinations, { tickMs: 42 });
    })[toB]!;
    expect(messages.map(({ envelope, rows: own }) => [envelope.tickMs, own.length])).toEqual([
      [undefined, 1],
      [42, 0],
    ]);
  });
});
