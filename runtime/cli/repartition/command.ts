/** `rivulet repartition`: its output. */
import { type Layout, startFlags } from '../../config/deployment.js';
import { usage } from '../exit.js';
import { deployedConfig } from '../state/deployed-config.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { changeText, flagsOf, isSame } from './journal.js';
import { type RepartitionOutcome, repartitionDeployment } from './repartition.js';

export interface RepartitionOptions extends SettingOptions, Partial<Layout> {
  readonly yes?: true;
  readonly json?: true;
}

export async function repartition({ partitions, chaining, ...options }: RepartitionOptions): Promise<void> {
  const wanted = { ...(partitions === undefined ? {} : { partitions }), ...(chaining && { chaining }) };
  if (Object.keys(wanted).length === 0) throw usage('what is to change: --partitions, --chaining, or both?');
  const config = deployedConfig(settingsOf(options, { logLevel: 'warn' }));
  const startedAt = performance.now();
  const outcome = await repartitionDeployment({
    config,
    wanted,
    yes: options.yes === true,
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const text =
    options.json === true ? JSON.stringify(asJson(outcome, seconds), undefined, 2) : asText(outcome, seconds);
  process.stdout.write(`${text}\n`);
}

const asJson = ({ from, to, ...outcome }: RepartitionOutcome, seconds: number): object => ({
  ...{ from: from.partitions, to: to.partitions, chaining: { from: from.chaining, to: to.chaining } },
  ...outcome,
  seconds,
});

function asText(outcome: RepartitionOutcome, seconds: number): string {
  const text = whatWasDone(outcome, seconds);
  return outcome.leftover ? `${LEFTOVER}\n${text}` : text;
}

const LEFTOVER =
  'The data directory holds files of a repartition that was interrupted and that this NATS knows nothing of (any more): they are not used, and deleted with --yes.';

const layoutText = ({ partitions, chaining }: Layout): string =>
  `${partitions} partitions of users and items, with chaining ${chaining}`;

function whatWasDone(outcome: RepartitionOutcome, seconds: number): string {
  const { to, done, resumed } = outcome;
  if (isSame(outcome)) {
    if (!resumed) return `There are ${layoutText(to)} already: nothing to do.`;
    return done
      ? `Given up: the deployment has ${layoutText(to)}, as before. The nodes can start.`
      : `A repartition that was interrupted would be given up. Do it with: rivulet repartition --partitions ${to.partitions} --chaining ${to.chaining} --yes`;
  }
  if (!done) {
    return [
      `${resumed ? 'Broken off, and would be gone on with' : 'Would change'}: ${changeText(outcome)}.`,
      `Nothing was changed. Do it with: rivulet repartition ${flagsOf(outcome)} --yes`,
    ].join('\n');
  }
  return [
    `Done in ${seconds} s: ${changeText(outcome)}.`,
    `Start the node so: rivulet start ${startFlags(to)}, or with the same in rivulet.json or its environment.`,
    'Start all other nodes of the deployment on empty data directories: they take the state from its copies in NATS.',
    'A backup from before is one of the old layout.',
  ].join('\n');
}
