/** The page of the API, into a folder (dist/docs/): Swagger UI out of its npm package, which is needed for nothing else, with a start of our own. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { writeCompressed } from './bundle-compressed.mjs';

const FROM = join(import.meta.dirname, 'connectors', 'http', 'docs');
const LIBRARY = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const NEEDED = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
const TO = process.argv[2];

rmSync(TO, { recursive: true, force: true });
mkdirSync(TO, { recursive: true });
for (const name of readdirSync(FROM)) writeCompressed(TO, name, readFileSync(join(FROM, name)));
for (const name of NEEDED) writeCompressed(TO, name, readFileSync(join(LIBRARY, name)));
