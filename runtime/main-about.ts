/** What this build is, and where it is. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** From the sources, from dist/, and from the bundle. */
const PLACES = ['../package.json', '../../package.json', '../../../package.json'];

const PAGES = ['../page/', '../../page/', '../dist/page/'];

/** The folder of the bundled page; `undefined` when it was not built. */
export function pageFolder(): string | undefined {
  const place = PAGES.map((one) => new URL(one, import.meta.url)).find((one) => existsSync(new URL('index.html', one)));
  return place === undefined ? undefined : fileURLToPath(place);
}

export function version(): string {
  for (const place of PLACES) {
    const path = new URL(place, import.meta.url);
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    if (manifest.name === 'rivulet') return manifest.version;
  }
  return 'unknown';
}
