/** `rivulet repartition`: its output. */
import { deployedConfig } from '../state/deployed-config.js';
import { nodeOptions } from '../node/node-options.js';
import { type RepartitionOutcome, repartitionDeployment } from './repartition.js';
import { type SettingOptions, settingsOf } from '../settings.js';

export interface RepartitionOptions extends SettingOptions {
  readonly partitions: number;
  readonly yes?: true;
  readonly json?: true;
}

export async function repartition(options: RepartitionOptions): Promise<void> {
  const config = deployedConfig(settingsOf({ ...options }, { logLevel: 'warn' }));
  const startedAt = performance.now();
  const outcome = await repartitionDeployment({
    options: nodeOptions(config),
    yes: options.yes === true,
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const text = options.json === true ? JSON.stringify({ ...outcome, seconds }, undefined, 2) : asText(outcome, seconds);
  process.stdout.write(`${text}\n`);
}

function asText(outcome: RepartitionOutcome, seconds: number): string {
  const text = whatWasDone(outcome, seconds);
  return outcome.leftover ? `${LEFTOVER}\n${text}` : text;
}

const LEFTOVER =
  'The data directory holds files of a repartition that was interrupted and that this NATS knows nothing of (any more): they are not used, and deleted with --yes.';

function whatWasDone({ from, to, done, resumed }: RepartitionOutcome, seconds: number): string {
  if (from === to && !resumed) return `There are ${to} partitions of users and items already: nothing to do.`;
  if (from === to) {
    return done
      ? `Given up: the deployment has ${to} partitions, as before. The nodes can start.`
      : `A repartition that was interrupted would be given up. Do it with: rivulet repartition --partitions ${to} --yes`;
  }
  if (!done) {
    return [
      `${resumed ? 'Broken off, and would be gone on with' : 'Would change'}: from ${from} to ${to} partitions of users and items.`,
      `Nothing was changed. Do it with: rivulet repartition --partitions ${to} --yes`,
    ].join('\n');
  }
  return [
    `Done in ${seconds} s: ${from} partitions of users and items are ${to} now.`,
    `Start the node with that number: rivulet start --partitions ${to}, or partitions in rivulet.json or RIVULET_PARTITIONS.`,
    'Start all other nodes of the deployment on empty data directories: they take the state from its copies in NATS.',
    'A backup from before is one of the old number.',
  ].join('\n');
}
