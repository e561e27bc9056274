/** What this build is. */
import { existsSync, readFileSync } from 'node:fs';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** From the sources, from dist/, and from the bundle. */
const PLACES = ['../package.json', '../../package.json', '../../../package.json'];

export function version(): string {
  for (const place of PLACES) {
    const path = new URL(place, import.meta.url);
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    if (manifest.name === 'rivulet') return manifest.version;
  }
  return 'unknown';
}
