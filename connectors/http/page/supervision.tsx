/** The supervision tree: threads, their shards and instances, what was restarted and why. */
import { type ComponentChildren, toChildArray } from 'preact';
import type { SupervisedChild, SupervisedShard, SupervisedTop } from './answers.js';
import { Icon } from './icons.js';
import { Panel } from './panel.js';
import { STATE_WORDS } from './stage-node.js';
import type { History } from './status-history.js';
import { plural } from './wording.js';

interface SupervisionProps {
  readonly history: History | undefined;
  readonly staleSinceMs: number | undefined;
}

export function SupervisionPanel({ history, staleSinceMs }: SupervisionProps) {
  const tops = history?.status.supervision ?? [];
  return (
    <Panel id="supervision" title="Supervision" hint={<Summary tops={tops} />} staleSinceMs={staleSinceMs}>
      <ul class="supervised">
        {tops.map(({ shards, ...top }) => (
          <Branch key={top.name} child={top} level={top.level} isOpen={!shards.every(isShardWell)}>
            {shards.map((shard) => (
              <Branch key={shard.name} child={shard} level="shard" isOpen={!isShardWell(shard)}>
                {shard.instances.map((instance) => (
                  <Branch key={instance.name} child={instance} level="instance" />
                ))}
              </Branch>
            ))}
          </Branch>
        ))}
      </ul>
    </Panel>
  );
}

function Summary({ tops }: { readonly tops: readonly SupervisedTop[] }) {
  const all = tops.flatMap((top) => [top, ...top.shards, ...top.shards.flatMap(({ instances }) => instances)]);
  const restarts = all.reduce((sum, child) => sum + child.restarts, 0);
  return (
    <>
      A part that fails is restarted alone; if it fails too often, the next larger part is.{' '}
      {plural(restarts, 'restart')} since the node started.
    </>
  );
}

interface BranchProps {
  readonly child: SupervisedChild;
  readonly level: string;
  readonly isOpen?: boolean;
  readonly children?: ComponentChildren;
}

/** Closed while all of it runs: there are many instances. */
function Branch({ child, level, isOpen, children }: BranchProps) {
  const row = <Row child={child} level={level} />;
  if (toChildArray(children).length === 0) return <li>{row}</li>;
  return (
    <li>
      <details open={isOpen}>
        <summary>{row}</summary>
        <ul>{children}</ul>
      </details>
    </li>
  );
}

const isShardWell = (shard: SupervisedShard): boolean => [shard, ...shard.instances].every(isWell);
const isWell = ({ state, restarts }: SupervisedChild): boolean => state === 'running' && restarts === 0;

const Row = ({ child, level }: { readonly child: SupervisedChild; readonly level: string }) => (
  <span class="child">
    <strong>{child.name}</strong> <span class="level">{level}</span>{' '}
    <span class={`state-word ${child.state}`}>
      <Icon name={child.state} /> {STATE_WORDS[child.state]}
    </span>
    {child.restarts > 0 && <span class="restarts">{plural(child.restarts, 'restart')}</span>}
    {child.last_error !== undefined && <span class="last-error">{child.last_error}</span>}
  </span>
);
