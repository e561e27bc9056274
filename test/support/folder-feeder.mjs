/**
 * Feeds a folder: `node folder-feeder.mjs FOLDER FILES`. It writes files of views, one after the other, in the ways in which files get into folders: at
 * once, slowly under their own name, under a temporary name that is changed at the end, gzipped; some with names before all others, some large. Rows
 * have no ids; user and time name each. Prints the number of rows when it has ended.
 */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

const [folder, files] = [process.argv[2], Number(process.argv[3])];
const HEADER = 'event_time,event_type,user_id,product_id,note\n';
/** A column that nobody reads, so that a file has several chunks. */
const LONG = 'x'.repeat(2_000);
const startMs = Date.now() - 600_000;
let rows = 0;

const rowsOf = (count, note) =>
  Array.from({ length: count }, () => {
    const n = rows++;
    return `${new Date(startMs + n).toISOString()},view,u${n % 50},i${n % 20},${note}\n`;
  });

for (let i = 0; i < files; i++) {
  const number = String(i).padStart(4, '0');
  const path = join(folder, `${i % 5 === 4 ? 'a' : 'm'}-${number}.csv`);
  const isLarge = i % 6 === 3;
  const lines = rowsOf(isLarge ? 6_000 : 40, isLarge ? LONG : '');
  const text = HEADER + lines.join('');
  if (i % 4 === 0) writeFileSync(path, text);
  else if (i % 4 === 1) {
    // In pieces that end anywhere.
    for (let at = 0, pieces = 5, step = Math.ceil(text.length / pieces); at < text.length; at += step) {
      appendFileSync(path, text.slice(at, at + step));
      await pause(60);
    }
  } else if (i % 4 === 2) writeFileSync(`${path}.gz`, gzipSync(text));
  else {
    writeFileSync(`${path}.part`, text.slice(0, text.length / 2));
    await pause(100);
    appendFileSync(`${path}.part`, text.slice(text.length / 2));
    renameSync(`${path}.part`, path);
  }
  await pause(500);
}
process.stdout.write(`${rows}\n`);
