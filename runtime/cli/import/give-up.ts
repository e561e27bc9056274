/** `rivulet import give-up`. */
import { resolve } from 'node:path';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { systemClock } from '../../contract/clock.js';
import { BUCKETS } from '../../node/buckets.js';
import { openBucket } from '../buckets.js';
import { usage } from '../exit.js';
import { natsOf } from '../nats-link.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';
import { giveUp, readImports } from './place.js';

export async function giveUpImport(path: string, options: SettingOptions): Promise<void> {
  const connection = await connectNats(natsOf(settingsOf(options).config), 'rivulet-import');
  try {
    const table = (await openBucket(await StreamArchive.open(connection), connection, BUCKETS.deployment))?.entries;
    const given = table && { table, clock: systemClock };
    const { begun } = given === undefined ? {} : await readImports(given);
    if (given === undefined || begun === undefined) throw usage('no import has begun that is not done');
    // Its command may have run on another machine, or in another folder.
    if (begun.file !== path && begun.file !== resolve(path))
      throw usage(`it is not ${path} whose import is not done`, `it is ${begun.file}: give this path`);
    await giveUp(given, begun);
    process.stdout.write(
      `the import of ${begun.file} is given up: ${grouped(begun.events)} events of it were recorded, and all that came of it stays\n`,
    );
  } finally {
    await connection.close();
  }
}
