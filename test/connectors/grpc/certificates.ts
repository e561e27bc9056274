/** Certificates for tests, made by openssl in a folder of their own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export class Certificates {
  private readonly folder = mkdtempSync(join(tmpdir(), 'rivulet-tls-'));

  /** A self-signed one: `<name>.pem` and `<name>.key`. */
  selfSigned(name: string): void {
    this.openssl(
      'req',
      '-x509',
      ...KEY,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  }

  /** For rivulet.example.com and this machine. */
  signed(name: string, authority: string): void {
    writeFileSync(this.path('names'), 'subjectAltName=DNS:rivulet.example.com,DNS:localhost,IP:127.0.0.1\n');
    this.openssl('req', ...KEY, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const by = [
      '-CA',
      `${authority}.pem`,
      '-CAkey',
      `${authority}.key`,
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names',
    ];
    this.openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`);
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe' });
  }
}
