/** The project's version, from its package.json. */
import { existsSync, readFileSync } from 'node:fs';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** From the sources, and from dist/, bundled or not. */
const PLACES = ['../../package.json', '../../../package.json'];

export function version(): string {
  for (const place of PLACES) {
    const path = new URL(place, import.meta.url);
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    // The sources may be in a folder of another package.
    if (manifest.name === 'rivulet') return manifest.version;
  }
  return 'unknown';
}
