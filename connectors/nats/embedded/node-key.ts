/**
 * Access rights at the embedded server. It has two accounts, because within one account a publisher can write anywhere: the server sends the
 * acknowledgement of a publish to the reply subject that the publisher names, without checking rights to it.
 *
 *   RIVULET    owns all streams. A client with the key in `node.nk` (an nkey seed, made once, readable by its owner only) has all rights in it.
 *   ANONYMOUS  for all other clients. Messages that they publish on the allowed subjects go to RIVULET, and the acknowledgements come back; nothing
 *              else passes between the two.
 */
import { chmod, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';

export interface Access {
  /** Subjects on which clients may publish without credentials; none: credentials are required. */
  readonly anonymousSubjects: readonly string[];
}

export const nodeKeyFile = (storeDir: string): string => join(storeDir, 'node.nk');

const OWNER_ONLY = 0o600;

/** The public key of the node; a new key is made when there is none, or none that can be read. Only for the owner of the store's claim. */
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

/** Earlier versions had no accounts: moves their streams into the account that owns all streams. */
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

/** The accounts, as lines of the server's configuration. */
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
