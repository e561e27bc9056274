/** deploy/kubernetes, as `kubectl apply -k` would make it, against the API of Kubernetes and what operates it. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { answerOf, commandOf, kubectlValidate, kustomize, missingTool, resourceDefinitions } from './deploy-tools.js';
import { DEPLOY, documentsIn, type Loose } from './deploy-files.js';
import { skipped } from '../support/requirements.js';

const [builder, validator, crds] = [await kustomize(), await kubectlValidate(), await resourceDefinitions()];
const scratch = mkdtempSync(join(tmpdir(), 'rivulet-kubernetes-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const OVERLAYS = ['base', 'overlays/production'];

async function built(overlay: string, deploy = DEPLOY): Promise<string> {
  if ('missing' in builder) throw new Error(builder.missing);
  const [command, ...args] = [...builder.command, join(deploy, 'kubernetes', overlay)];
  const { code, stdout, stderr } = await answerOf(command!, args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

/** With the patch that stops the nodes. */
async function idle(overlay: string): Promise<string> {
  const copy = mkdtempSync(join(scratch, 'idle-'));
  for (const part of ['kubernetes', 'nats']) cpSync(join(DEPLOY, part), join(copy, part), { recursive: true });
  const patched = { resources: [`../${overlay}`], patches: [{ path: 'idle.yaml' }] };
  cpSync(join(DEPLOY, 'kubernetes', 'idle.yaml'), join(copy, 'kubernetes', 'idle', 'idle.yaml'));
  writeFileSync(join(copy, 'kubernetes', 'idle', 'kustomization.yaml'), JSON.stringify(patched));
  return built('idle', copy);
}

async function validated(text: string): Promise<{ code: number; said: string }> {
  const file = join(scratch, 'all.yaml');
  writeFileSync(file, text);
  const args = [file, '--version', '1.30', '--local-crds', commandOf(crds)];
  const { code, stdout, stderr } = await answerOf(commandOf(validator), args);
  return { code, said: stdout + stderr };
}

describe.skipIf('missing' in builder || 'missing' in validator || 'missing' in crds)(
  `against the API of Kubernetes${skipped(...[builder, validator, crds].map(missingTool))}`,
  () => {
    it.each(OVERLAYS)('%s is valid', async (overlay) => {
      const { code, said } = await validated(await built(overlay));
      expect([code, said]).toEqual([0, expect.stringContaining('OK')]);
    });

    it.each(OVERLAYS)('%s without nodes is valid', async (overlay) => {
      const { code, said } = await validated(await idle(overlay));
      expect([code, said]).toEqual([0, expect.stringContaining('OK')]);
    });

    it.each([
      ['of Kubernetes', 'terminationGracePeriodSeconds: 20', 'terminationGraceSeconds: 20', 'terminationGraceSeconds'],
      ['of KEDA', 'maxReplicaCount: 6', 'maxReplicas: 6', 'maxReplicas'],
      ['of the Prometheus operator', 'interval: 15s', 'interval: often', 'interval'],
    ])('a field %s that is wrong is found', async (_, right, wrong, name) => {
      const text = await built('overlays/production');
      expect(text).toContain(right);
      const { code, said } = await validated(text.replace(right, wrong));
      expect([code === 0, said]).toEqual([false, expect.stringContaining(name)]);
    });
  },
);

describe.skipIf('missing' in builder)(`what operates it${skipped(missingTool(builder))}`, () => {
  const all = async (overlay: string): Promise<(kind: string, name: string) => Loose> => {
    const documents = documentsIn(await built(overlay));
    return (kind, name) => {
      const found = documents.filter((one) => one.kind === kind && one.metadata.name.startsWith(name));
      expect(found.map((one) => `${one.kind} ${one.metadata.name}`)).toHaveLength(1);
      return found[0];
    };
  };
  const podOf = (set: Loose): Loose => set.spec.template.spec;

  it('no secret is in there: Secrets are only referred to', async () => {
    for (const overlay of OVERLAYS) {
      expect(documentsIn(await built(overlay)).filter(({ kind }) => kind === 'Secret')).toEqual([]);
    }
  });

  it.each(['nats', 'rivulet'])(
    '%s runs as nobody, with nothing it could do, on a file system it cannot change',
    async (name) => {
      const pod = podOf((await all('base'))('StatefulSet', name));
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      for (const container of pod.containers) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(Object.keys(container.resources.limits)).toContain('memory');
      }
    },
  );

  it('Kubernetes sets no variable of its own that a node would take for a setting', async () => {
    expect(podOf((await all('base'))('StatefulSet', 'rivulet')).enableServiceLinks).toBe(false);
  });

  it('a pod that waits for NATS gets no calls and is not ended', async () => {
    const [{ startupProbe, readinessProbe, livenessProbe }] = podOf(
      (await all('base'))('StatefulSet', 'rivulet'),
    ).containers;
    expect([startupProbe.httpGet.path, readinessProbe.httpGet.path]).toEqual(['/health', '/health']);
    expect(livenessProbe).not.toHaveProperty('httpGet');
    expect(livenessProbe.exec.command).toEqual(['node', '/app/probe.mjs', 'alive']);
    // probe.mjs gives up after 4 s, and says so.
    expect(livenessProbe.timeoutSeconds).toBeGreaterThan(4);
  });

  it('a pod has the time that the stop of a node may take', async () => {
    const pod = podOf((await all('base'))('StatefulSet', 'rivulet'));
    const [{ lifecycle }] = pod.containers;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(lifecycle.preStop.sleep.seconds + 9);
  });

  it.each(OVERLAYS)('an idle pod of %s differs from a node in what runs, and in nothing else', async (overlay) => {
    const find = (text: string) =>
      documentsIn(text).find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'rivulet');
    const [node, pod] = [find(await built(overlay)), find(await idle(overlay))];
    const [{ startupProbe: _, livenessProbe: __, lifecycle: ___, ...container }] = podOf(node).containers;
    expect(podOf(pod)).toEqual({ ...podOf(node), containers: [{ ...container, command: ['sleep', 'infinity'] }] });
    // /health of nobody: it gets no calls, and is left alone.
    expect(container.readinessProbe.httpGet.path).toBe('/health');
    expect(pod.spec).toMatchObject({ replicas: 1, volumeClaimTemplates: node.spec.volumeClaimTemplates });
  });

  it('one NATS server and one node may go at a time; NATS servers are never on one machine', async () => {
    const find = await all('base');
    expect(find('PodDisruptionBudget', 'nats').spec.maxUnavailable).toBe(1);
    expect(find('PodDisruptionBudget', 'rivulet').spec.maxUnavailable).toBe(1);
    expect(podOf(find('StatefulSet', 'nats')).topologySpreadConstraints[0]).toMatchObject({
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
    });
  });

  it('each name of the network policies is one of a port that there is', async () => {
    const documents = documentsIn(await built('base'));
    const sets = documents.filter(({ kind }) => kind === 'StatefulSet');
    const policies = documents.filter(({ kind, spec }) => kind === 'NetworkPolicy' && spec.ingress !== undefined);
    expect(policies).toHaveLength(2);
    for (const { spec } of policies) {
      const name = spec.podSelector.matchLabels['app.kubernetes.io/name'];
      const set = sets.find(({ metadata }) => metadata.name === name);
      const there = podOf(set).containers.flatMap(({ ports }: Loose) => ports.map((port: Loose) => port.name));
      const used = spec.ingress.flatMap(({ ports }: Loose) => ports.map(({ port }: Loose) => port));
      expect(there).toEqual(expect.arrayContaining(used));
    }
  });

  it('scaled: replicas are KEDA’s to say, by a metric that there is, and no more than partitions', async () => {
    const find = await all('overlays/production');
    const scaled = find('ScaledObject', 'rivulet').spec;
    expect(find('StatefulSet', 'rivulet').spec).not.toHaveProperty('replicas');
    expect(scaled.maxReplicaCount).toBeLessThanOrEqual(
      Number(find('ConfigMap', 'rivulet-settings').data.RIVULET_PARTITIONS),
    );
    expect(scaled.minReplicaCount).toBeGreaterThanOrEqual(2);
    const queries: string[] = scaled.triggers.map(({ metadata }: Loose) => metadata.query);
    expect(queries.flatMap((query) => query.match(/rivulet_\w+/g) ?? [])).toEqual([
      'rivulet_stage_mailbox_lag_seconds',
      'rivulet_stage_mailbox_lag_messages',
    ]);
  });

  it('the monitor reads each pod once', async () => {
    const documents = documentsIn(await built('overlays/production'));
    const monitor = documents.find(({ kind }) => kind === 'ServiceMonitor').spec;
    const chosen = documents.filter(
      ({ kind, metadata }) =>
        kind === 'Service' &&
        Object.entries(monitor.selector.matchLabels).every(([label, value]) => metadata.labels[label] === value),
    );
    expect(chosen.map(({ metadata }) => metadata.name)).toEqual(['rivulet-headless']);
    expect(chosen[0].spec.ports.map(({ name }: Loose) => name)).toContain(monitor.endpoints[0].port);
  });
});
