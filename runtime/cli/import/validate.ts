/** `rivulet validate`: whether files are as they were received. */
import { differences, readManifest } from '../../../connectors/movielens/manifest.js';
import { EXIT } from '../exit.js';
import { grouped } from '../terminal.js';

export async function validate(folder: string): Promise<void> {
  const manifest = await readManifest(folder);
  const found = await differences(folder, manifest);
  const { dataset_name, dataset_version, ingestion_ts, files } = manifest;
  process.stdout.write(`${dataset_name} ${dataset_version}, received ${ingestion_ts}\n`);
  for (const difference of found) process.stdout.write(`${difference}\n`);
  if (found.length > 0) process.exitCode = EXIT.failed;
  else
    process.stdout.write(
      `${files.length} files, ${grouped(files.reduce((sum, { rows }) => sum + rows, 0))} rows: all as received\n`,
    );
}
