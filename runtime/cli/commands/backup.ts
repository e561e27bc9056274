/** Commands that keep a deployment safe. */
import type { Command } from 'commander';
import { NODE_ABOUTS, NODE_KEYS, STATE_KEYS, wholeNumber, withSettings } from '../settings.js';
import type { BackupOptions } from '../backup/backup.js';
import type { RestoreOptions } from '../backup/restore.js';

export function backupCommands(rivulet: Command): void {
  backup(rivulet);
  restore(rivulet);
}

function backup(rivulet: Command): void {
  const command = rivulet
    .command('backup')
    .summary('a consistent copy of everything, taken while the nodes run')
    .description(
      'Copies the state and the streams of a deployment into a folder: one file per stream, and a manifest with their digests, written last.\n' +
        'Nodes go on working meanwhile; they trim no stream until it is done. The copy is the deployment as it was when the backup\n' +
        'ended: events published later are not in it, all before are.',
    )
    .argument('<dir>', 'the folder; made when it is not there, and must be empty')
    .option('--wait-seconds <n>', 'how long nodes have to say that they stop trimming', wholeNumber(1, 3_600), 30)
    .option('--no-wait', 'do not wait for nodes that do not answer; the backup fails if one trims meanwhile')
    .option('--json', 'print the summary as JSON')
    .action(async (folder: string, options: BackupOptions) => {
      const { backup: run } = await import('../backup/backup.js');
      await run(folder, options);
    });
  withSettings(command, NODE_KEYS, { abouts: NODE_ABOUTS }).addHelpText(
    'after',
    `
Without --nats-url (or RIVULET_NATS_URL) it copies from the node that runs on the data directory.

Examples:
  rivulet backup /backups/2026-11-21
  rivulet backup /backups/2026-11-21 --nats-url nats://nats-1:4222 --json

To bring it back: rivulet restore --help`,
  );
}

function restore(rivulet: Command): void {
  const command = rivulet
    .command('restore')
    .summary('bring a backup back, onto a NATS without nodes')
    .description(
      'Checks every digest of a backup, and then makes its streams on a NATS server or cluster, or in a data directory (with the nats-server\n' +
        'that a node there would run). Nodes that start afterwards go on from there. No node may run meanwhile, and none can start.',
    )
    .argument('<dir>', 'the folder of the backup')
    .option(
      '--replace',
      'delete the streams of a deployment that is there already; they are saved first, and put back when this fails',
    )
    .option('--no-keep', 'with --replace: do not save what is there; when this fails, both are gone')
    .option('--replicas <n>', 'copies of each stream (default: as in the backup)', wholeNumber(1, 5))
    .option('--check', 'only check the backup; connect to nothing')
    .option('--json', 'print the summary as JSON')
    .action(async (folder: string, options: RestoreOptions) => {
      const { restore: run } = await import('../backup/restore.js');
      await run(folder, options);
    });
  withSettings(command, ['natsUrl', 'natsServer', ...STATE_KEYS], {
    abouts: {
      natsUrl: 'NATS servers, comma-separated (default: the nats-server of the data directory)',
      dataDir: 'data directory to restore into',
    },
  }).addHelpText(
    'after',
    `
What --replace deletes is saved next to the data directory, in a folder <data-dir>-replaced-<time>, which is a backup itself: delete it when you
are content, or restore it.

Examples:
  rivulet restore /backups/2026-11-21 --check
  rivulet restore /backups/2026-11-21 --data-dir ./restored
  rivulet restore /backups/2026-11-21 --nats-url nats://nats-1:4222 --replace
  rivulet restore /backups/2026-11-21 --nats-url nats://127.0.0.1:4222 --replicas 1`,
  );
}
