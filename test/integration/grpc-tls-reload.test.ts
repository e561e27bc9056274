/** TLS files that are replaced while the façade runs. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { Certificates } from '../connectors/grpc/certificates.js';
import { facade, failure } from '../connectors/grpc/facade.js';
import { eventually } from '../support/eventually.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const certificates = new Certificates();
const from = (name: string): string => certificates.path(name);
const pem = (name: string): string => readFileSync(from(name), 'utf8');
const RELOAD = { reloadEveryMs: 10 };

afterAll(() => certificates.remove());

let folders = 0;
const newFolder = (): string => {
  const folder = from(`mount-${folders++}`);
  mkdirSync(folder);
  return folder;
};

/** The name in the certificate that a new connection is shown. */
const shownBy = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      ca: pem('ca.pem'),
      servername: 'localhost',
      ALPNProtocols: ['h2'],
    });
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      resolve(String(socket.getPeerX509Certificate()!.subject));
      socket.destroy();
    });
  });

/** A logger, and what it was told as one text. */
function listener() {
  const lines: string[] = [];
  const hear = (fields: object, message?: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  return { lines, logger: { debug: hear, info: hear, warn: hear, error: hear } };
}

describe.skipIf(noOpenssl)(`replaced TLS files${skipped(noOpenssl)}`, () => {
  beforeAll(() => {
    for (const authority of ['ca', 'other-ca']) certificates.selfSigned(authority);
    for (const name of ['first', 'second', 'client']) certificates.signed(name, 'ca');
    certificates.signed('other-client', 'other-ca');
  });

  it('are used for new connections when a mount is swapped, and no call of an old connection is lost', async () => {
    const mount = newFolder();
    for (const name of ['first', 'second']) {
      mkdirSync(join(mount, name));
      copyFileSync(from(`${name}.pem`), join(mount, name, 'tls.crt'));
      copyFileSync(from(`${name}.key`), join(mount, name, 'tls.key'));
    }
    // As Kubernetes mounts a secret.
    symlinkSync('first', join(mount, '..data'));
    for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(mount, file));
    const tls = { certPath: join(mount, 'tls.crt'), keyPath: join(mount, 'tls.key') };
    const { server, client } = await facade({ tls, ...RELOAD }, { tls: { caPath: from('ca.pem') } });
    await client.health();
    expect(await shownBy(server.port)).toBe('CN=first');

    symlinkSync('second', join(mount, '..new'));
    renameSync(join(mount, '..new'), join(mount, '..data'));
    await eventually(async () => expect(await shownBy(server.port)).toBe('CN=second'));
    expect(await client.health()).toBe('NOT_SERVING');
  });

  it('that are broken are logged once and not used, until they are mended', async () => {
    const mount = newFolder();
    const tls = { certPath: join(mount, 'c'), keyPath: join(mount, 'k') };
    const write = (cert: string, key: string): void => {
      writeFileSync(tls.certPath, cert);
      writeFileSync(tls.keyPath, key);
    };
    write(pem('first.pem'), pem('first.key'));
    const { lines, logger } = listener();
    const { server } = await facade({ tls, logger, ...RELOAD });
    const refusals = (): string[] => lines.filter((line) => line.startsWith('replaced files are of no use'));

    write(pem('second.pem'), pem('client.key'));
    await eventually(() => expect(refusals().length).toBeGreaterThan(0));
    expect(await shownBy(server.port)).toBe('CN=first');
    // For another cause: what was written last is of no use either.
    const before = refusals().length;
    writeFileSync(tls.certPath, 'no certificate');
    await eventually(() => expect(refusals().length).toBe(before + 1));

    write(pem('second.pem'), pem('second.key'));
    await eventually(async () => expect(await shownBy(server.port)).toBe('CN=second'));
    expect(refusals().every((line) => line.includes('TLS_UNUSABLE'))).toBe(true);
    expect(lines.join('\n')).not.toContain('PRIVATE KEY');
  });

  it('may bring another authority of clients', async () => {
    const mount = newFolder();
    const clientCaPath = join(mount, 'ca');
    writeFileSync(clientCaPath, pem('ca.pem'));
    const tls = { certPath: from('first.pem'), keyPath: from('first.key'), clientCaPath };
    const { lines, logger } = listener();
    const { address } = await facade({ tls, logger, ...RELOAD }, { tls: { caPath: from('ca.pem') } });
    const asks = async (name: string): Promise<string> => {
      const shown = { caPath: from('ca.pem'), certPath: from(`${name}.pem`), keyPath: from(`${name}.key`) };
      // Each its own connection: grpc-js shares them between clients with the same options.
      const client = await connectRivulet(address, { tls: shown, channel: { 'grpc.use_local_subchannel_pool': 1 } });
      try {
        return await client.health('', { deadlineMs: 2000 });
      } finally {
        client.close();
      }
    };
    expect(await asks('client')).toBe('NOT_SERVING');
    expect((await failure(asks('other-client'))).reaction).toBe('transient');

    writeFileSync(clientCaPath, 'no certificate');
    await eventually(() => expect(lines.join()).toContain('of no use'));
    expect(await asks('client')).toBe('NOT_SERVING');

    writeFileSync(clientCaPath, pem('other-ca.pem'));
    await eventually(async () => expect(await asks('other-client')).toBe('NOT_SERVING'));
    expect((await failure(asks('client'))).reaction).toBe('transient');
  });
});
