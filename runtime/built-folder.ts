/** Where the build has put files for browsers. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** From dist/, bundled or not, and from the sources. */
const PLACES = ['../', '../dist/'];

/** The folder `name` of dist/; `undefined` when it was not built. */
export function builtFolder(name: 'page' | 'docs'): string | undefined {
  const folders = PLACES.map((place) => new URL(`${place}${name}/`, import.meta.url));
  const folder = folders.find((one) => existsSync(new URL('index.html', one)));
  return folder === undefined ? undefined : fileURLToPath(folder);
}
