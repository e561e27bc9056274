/** Programs of other projects, as people use them: those on the PATH, else built once with Go and kept. */
import { execFileSync } from 'node:child_process';
import { join, posix } from 'node:path';
import { runCommand } from '../../connectors/nats/provision/command.js';
import { kept } from './user-cache.js';

export const GRPCURL = { module: 'github.com/fullstorydev/grpcurl/cmd/grpcurl', version: 'v1.9.3' };
export const GHZ = { module: 'github.com/bojand/ghz/cmd/ghz', version: 'v0.120.0' };

const BUILD_MS_MAX = 240_000;

export interface GoTool {
  readonly module: string;
  readonly version: string;
  /** What Go calls the program, where that is not the last part of the module's path. */
  readonly name?: string;
}

export type FoundTool = { readonly command: string } | { readonly missing: string };

/** How it is called, or why it cannot be. */
export async function goTool(
  { module, version, name = posix.basename(module) }: GoTool,
  mayBuild = true,
): Promise<FoundTool> {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return { command: name };
  } catch {
    // Not on the PATH.
  }
  try {
    const folder = await kept(`${name}/${version}-${process.platform}-${process.arch}`, async (scratch) => {
      if (!mayBuild) throw new Error('no test builds it');
      // A target set for other work would make one that does not run here.
      const { GOOS: _os, GOARCH: _arch, ...env } = process.env;
      const options = { cwd: scratch, env: { ...env, GOBIN: scratch, CGO_ENABLED: '0' }, timeoutMs: BUILD_MS_MAX };
      await runCommand('go', ['install', `${module}@${version}`], options);
    });
    return { command: join(folder, name) };
  } catch (error) {
    return { missing: `${name} is not installed${mayBuild ? `, and to build it: ${(error as Error).message}` : ''}` };
  }
}
