/**
 * The page, out of its sources, into a folder (dist/page/): index.html, one script, one style sheet and an icon. All but index.html carry a hash of their
 * bytes in their name, so that a browser may keep them for good; each is there compressed too (.br, .gz), so that the server never does it.
 *
 *   node bundle-page.mjs FOLDER
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';
import { writeCompressed } from './bundle-compressed.mjs';

const FROM = join(import.meta.dirname, 'connectors', 'http', 'page');
const TO = process.argv[2];
/** All compressed files together: what a first visit may cost. */
const BYTES_MAX = 150 * 1024;

async function script() {
  const { output } = await build({
    input: join(FROM, 'main.tsx'),
    platform: 'browser',
    tsconfig: join(FROM, 'tsconfig.json'),
    resolve: { extensionAlias: { '.js': ['.ts', '.tsx', '.js'] } },
    transform: { target: 'es2022' },
    output: { format: 'es', minify: true },
    write: false,
  });
  return output[0].code;
}

/** In the order of their names, without comments and the white space that only people need. */
function style() {
  const folder = join(FROM, 'styles');
  const texts = readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8'));
  return texts
    .join('\n')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([{};,]) ?/g, '$1')
    .replace(/: /g, ':')
    .replace(/;}/g, '}')
    .trim();
}

const hashed = (name, extension, text) =>
  `${name}-${createHash('sha256').update(text).digest('base64url').slice(0, 10)}.${extension}`;

const parts = {
  script: ['page', 'js', await script()],
  style: ['page', 'css', style()],
  favicon: ['favicon', 'svg', readFileSync(join(FROM, 'favicon.svg'), 'utf8')],
};
rmSync(TO, { recursive: true, force: true });
mkdirSync(TO, { recursive: true });
let html = readFileSync(join(FROM, 'index.html'), 'utf8').replace(/<!-- [\s\S]*? -->\s*/g, '');
let bytes = 0;
for (const [key, [name, extension, text]] of Object.entries(parts)) {
  const file = hashed(name, extension, text);
  bytes += writeCompressed(TO, file, text);
  html = html.replaceAll(`{${key}}`, file);
}
bytes += writeCompressed(TO, 'index.html', html);
if (bytes > BYTES_MAX) throw new Error(`the page has ${bytes} bytes compressed; ${BYTES_MAX} is the most`);
console.log(`page: ${(bytes / 1024).toFixed(1)} KiB compressed`);
