/**
 * Who may do what at the embedded server. Two accounts, since within one a publisher can write anywhere: the server sends the acknowledgement of a
 * publish to whatever subject the publisher names, without asking for rights to it.
 *
 *   RIVULET    has all streams. Who has the key in `node.nk` (an nkey seed, made once, for its owner's eyes only) may do everything in it.
 *   ANONYMOUS  where everybody else is. What is published there on some subjects goes to RIVULET, and its acknowledgement comes back; nothing else
 *              passes between the two.
 */
import { chmod, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';

export interface Access {
  /** What may be published without credentials; none: nobody is let in without. */
  readonly anonymousSubjects: readonly string[];
}

export const nodeKeyFile = (storeDir: string): string => join(storeDir, 'node.nk');

const OWNER_ONLY = 0o600;

/** The public key of the node; made when there is none, or none that can be read. Only the holder of the store's claim may ask. */
export async function nodeKey(storeDir: string): Promise<string> {
  const file = nodeKeyFile(storeDir);
  try {
    const known = nkeys.fromSeed(await readFile(file)).getPublicKey();
    await chmod(file, OWNER_ONLY);
    return known;
  } catch {
    const made = nkeys.createUser();
    await writeFile(`${file}.new`, made.getSeed(), { mode: OWNER_ONLY });
    await rename(`${file}.new`, file);
    return made.getPublicKey();
  }
}

/** Earlier versions had no accounts: what they have stored becomes that of the one which has all streams. */
export async function adoptStreams(storeDir: string): Promise<void> {
  const [before, now] = ['$G', ACCOUNT].map((account) => join(storeDir, 'jetstream', account)) as [string, string];
  const isThere = (path: string): Promise<boolean> =>
    stat(path).then(
      () => true,
      () => false,
    );
  if ((await isThere(before)) && !(await isThere(now))) await rename(before, now);
}

const ACCOUNT = 'RIVULET';

/** For the configuration of the server. */
export function accountLines(key: string, { anonymousSubjects }: Access): string[] {
  const node = `    users: [{ nkey: ${key} }]`;
  if (anonymousSubjects.length === 0) {
    return ['accounts {', `  ${ACCOUNT} {`, '    jetstream: enabled', node, '  }', '}'];
  }
  const subjects = anonymousSubjects.map((subject) => JSON.stringify(subject));
  return [
    'accounts {',
    `  ${ACCOUNT} {`,
    '    jetstream: enabled',
    node,
    `    exports: [${subjects.map((subject) => `{ service: ${subject}, accounts: [ANONYMOUS] }`).join(', ')}]`,
    '  }',
    '  ANONYMOUS {',
    `    users: [{ user: anonymous, permissions: { publish: [${subjects.join(', ')}], subscribe: ["_INBOX.>"] } }]`,
    `    imports: [${subjects.map((subject) => `{ service: { account: ${ACCOUNT}, subject: ${subject} } }`).join(', ')}]`,
    '  }',
    '}',
    'no_auth_user: anonymous',
  ];
}
