/** An experiment on a node, as people run it: users have arms, answers say so, and what is shown in each arm is counted. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { armOf } from '../../actors/maths/experiment.js';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { until } from '../support/eventually.js';
import { runCli } from './run-cli.js';
import { smallBed } from './small-node.js';

const bed = smallBed();
const DATA = 'shop';
const ARMS = 'old:category-popularity=50,new:hybrid=50';
const EXPERIMENT = {
  name: 'lists',
  arms: [
    { name: 'old', strategy: 'category-popularity', percent: 50 },
    { name: 'new', strategy: 'hybrid', percent: 50 },
  ],
};
const USERS = Array.from({ length: 12 }, (_, i) => `user-${i}`);

const event = (type: string, user: string, item: string, more: object = {}): string =>
  `${JSON.stringify({ event_type: type, event_time: new Date().toISOString(), user_id: user, item_id: item, category_code: 'home', ...more })}\n`;

async function publish(...events: string[]): Promise<void> {
  const file = join(bed.cwd, 'events.jsonl');
  writeFileSync(file, events.join(''));
  const { code, stderr } = await bed.nodes.rivulet(DATA, 'publish', '--file', file);
  expect([code, stderr]).toEqual([0, '']);
}

interface Arm {
  readonly arm: string;
  readonly impressions: number;
  readonly clicks: number;
}

it('divides users, says who is in which arm, and counts what they follow of what they are shown', async () => {
  const settings = ['pipeline.experiment.name=lists', `pipeline.experiment.arms=${ARMS}`];
  const node = await bed.nodes.start(DATA, '--http-port', '0', ...settings.flatMap((one) => ['--set', one]));
  const [, http] = await node.running.printed(/HTTP at (http:\/\/127\.0\.0\.1:\d+)/);
  const client = await connectRivulet(node.address);
  onTestFinished(() => client.close());
  await publish(...USERS.flatMap((user) => [event('view', user, 'lamp'), event('view', user, 'sofa')]));

  const answers = await Promise.all(USERS.map((userId) => client.getRecommendations({ userId, limit: 5 })));
  const expected = USERS.map((user) => {
    const { name, strategy } = armOf(EXPERIMENT, user);
    return { arm: `lists/${name}`, strategy };
  });
  expect(answers.map(({ arm, strategy }) => ({ arm, strategy }))).toEqual(expected);
  expect(new Set(expected.map(({ arm }) => arm))).toEqual(new Set(['lists/old', 'lists/new']));
  // Who asks for a strategy is in no arm.
  expect(await client.getRecommendations({ userId: USERS[0]!, strategy: 'hybrid' })).toMatchObject({ arm: undefined });
  const rest = (await (await fetch(`${http}/reco/${USERS[0]!}`)).json()) as { arm: string; strategy: string };
  expect(rest).toMatchObject(expected[0]!);
  const { stdout } = await runCli(bed.cwd, ['get', USERS[0]!, '--address', node.address]);
  expect(stdout).toContain(`arm ${expected[0]!.arm}`);

  await publish(
    ...USERS.flatMap((user, i) => {
      const { arm, model } = answers[i]!;
      return ['lamp', 'sofa'].map((item, place) =>
        event('impression', user, item, { position: place + 1, arm, model }),
      );
    }),
  );
  const inNew = USERS.filter((_, i) => answers[i]!.arm === 'lists/new');
  await publish(...inNew.map((user) => event('purchase', user, 'lamp')));
  const arms = await until(
    async () => {
      const ranking = (await (await fetch(`${http}/ranking`)).json()) as { experiment: { arms: Arm[] } };
      return ranking.experiment.arms;
    },
    ([, second]) => second!.clicks === inNew.length,
  );
  expect(arms).toMatchObject([
    { arm: 'old', impressions: 2 * (USERS.length - inNew.length), clicks: 0, p_value: null },
    { arm: 'new', impressions: 2 * inNew.length, click_through_rate: 0.5, hit_rate: 1, p_value: 1 },
  ]);
  const metrics = await (await fetch(`${http}/metrics`)).text();
  expect(metrics).toContain(`rivulet_experiment_impressions{arm="lists/new"} ${2 * inNew.length}`);
  expect(metrics).toMatch(/rivulet_experiment_answers_total\{arm="lists\/old"\} [1-9]/);
});

it.each([
  ['a:hybrid=50,b:als=40', 'the percentages add up to 90'],
  ['a:hybrid=50,b:magic=50', 'there is no strategy magic'],
  ['a:hybrid=50,a:als=50', 'two arms have one name'],
  ['a:hybrid=100,b:als=0', 'an arm has no users'],
  ['hybrid', 'two to eight of arm:strategy=percent'],
])('refuses %s, and says why', async (arms, reason) => {
  const { code, stderr } = await bed.nodes.rivulet(DATA, 'start', '--set', `pipeline.experiment.arms=${arms}`);
  expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
});
