/** Where the page is, as it was built. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** From dist/, bundled or not, and from the sources. */
const PLACES = ['../page/', '../dist/page/'];

/** The folder of the page; `undefined` when it was not built. */
export function pageFolder(): string | undefined {
  const place = PLACES.map((one) => new URL(one, import.meta.url)).find((one) =>
    existsSync(new URL('index.html', one)),
  );
  return place === undefined ? undefined : fileURLToPath(place);
}
