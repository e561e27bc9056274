/** `rivulet get` of a node that asks for tokens. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { get } from '../../../runtime/cli/node/get.js';
import { facade } from '../../connectors/grpc/facade.js';
import { keyFile, keySet, RULES, signingKey } from '../../connectors/grpc/issuer.js';
import { workingDirectory } from '../../cli/run-cli.js';

afterEach(() => vi.unstubAllEnvs());

async function node() {
  const key = await signingKey('k1');
  const { address } = await facade({ auth: { ...RULES, keys: { file: keyFile(keySet(key)).path } } });
  const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  onTestFinished(() => printed.mockRestore());
  const asked = async (options: { tokenFile?: string }): Promise<string> => {
    await get('512', { number: 5, address, ...options });
    return printed.mock.calls.join('');
  };
  return { key, asked };
}

describe('the token', () => {
  it('comes from a file', async () => {
    const { cwd, remove } = workingDirectory();
    onTestFinished(remove);
    const { key, asked } = await node();
    const tokenFile = join(cwd, 'token');
    writeFileSync(tokenFile, `${await key.sign()}\n`);
    expect(await asked({ tokenFile })).toContain('1004856');
    await expect(asked({ tokenFile: join(cwd, 'none') })).rejects.toMatchObject({ code: 'TOKEN_UNREADABLE' });
  });

  it('comes from the environment; without one it is said what to give', async () => {
    const { key, asked } = await node();
    await expect(asked({})).rejects.toMatchObject({
      code: 'GRPC_UNAUTHENTICATED',
      hint: expect.stringContaining('--token-file or RIVULET_TOKEN'),
    });
    vi.stubEnv('RIVULET_TOKEN', await key.sign());
    expect(await asked({})).toContain('1004856');
  });

  it.each(['ey\nJ.a.b', 'eyJ .a.b', 'ey\u00e9J.a.b'])(
    'that is none names the place it comes from: %j',
    async (token) => {
      const { cwd, remove } = workingDirectory();
      onTestFinished(remove);
      const tokenFile = join(cwd, 'token');
      writeFileSync(tokenFile, token);
      const { asked } = await node();
      vi.stubEnv('RIVULET_TOKEN', token);
      const unusable = (place: string) => ({ code: 'TOKEN_UNUSABLE', message: expect.stringContaining(place) });
      await expect(asked({})).rejects.toMatchObject(unusable('the variable RIVULET_TOKEN'));
      await expect(asked({ tokenFile })).rejects.toMatchObject(unusable(tokenFile));
      writeFileSync(tokenFile, '\n');
      await expect(asked({ tokenFile })).rejects.toMatchObject(unusable('is empty'));
    },
  );
});
