/** Which version of the project this is, as its package says. */
import { existsSync, readFileSync } from 'node:fs';

export function version(): string {
  // From the sources, and from dist/, bundled or not.
  const paths = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url));
  const manifest = readFileSync(paths.find((path) => existsSync(path)) ?? paths[0]!, 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
