/** The files of deploy/ that run Rivulet, as values. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { projectFiles, ROOT } from '../guards/source-files.js';

export const DEPLOY = join(ROOT, 'deploy');

/** Without deploy/clients, which are programs of others. */
export const deployFiles = (): string[] =>
  projectFiles().filter((path) => path.startsWith('deploy/') && !path.startsWith('deploy/clients/'));

export const textOfFile = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Whatever a YAML file holds: tests look into it and say what they expect. */
export type Loose = ReturnType<typeof parse>;

export const yamlOf = (path: string): Loose => parse(textOfFile(path), { merge: true });

export const documentsIn = (text: string): Loose[] =>
  parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as Loose;
  });
